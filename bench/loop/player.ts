import { messageOf } from '../../core/contracts/errors';
import { loadRecording } from '../../fleet/series';
import { type Recording } from '../../fleet/recording';
import { playCentral, playPersistence } from './central';
import { RoundGraphs } from '../../core/backtest/graphs';
import { SHAPE } from './task';
import { type Answer, type Game, type GameSettings } from './jobs';
import { play } from './play';
import { fleetOf } from './scenarios';
import { type PlayOptions } from './play-options';
import { type Played } from './score';
import { World } from './world';

/**
 * A process that plays one game after the other, with one thread. Settings come as its argument, games as messages of the process that
 * forked it, and it ends with that process.
 */
async function playGame(
  recording: Recording,
  graphs: RoundGraphs,
  settings: GameSettings,
  { scenario, clock, seed }: Game,
): Promise<Map<string, Played>> {
  const { devices, rounds, windows, participants, tolerance } = settings;
  const about = { seed, devices, tolerance, changeWindow: (settings.changeRound - 1) * windows };
  const world = new World(recording, {
    ...fleetOf(scenario, about),
    ...about,
    clock,
    trainingWindows: settings.training.windows,
    liveWindows: rounds * windows,
  });
  const how: PlayOptions = { seed, rounds, windowsPerRound: windows, participants };
  const runs = new Map<string, Played>();
  for (const contender of settings.contenders)
    runs.set(contender.name, await play(world, contender, graphs, how));
  if (settings.bounds) {
    runs.set('persistence', playPersistence(world, how));
    runs.set('central', await playCentral(world, graphs, how));
  }
  return runs;
}

async function main(): Promise<void> {
  const settings = JSON.parse(process.argv[2] ?? '{}') as GameSettings;
  const loaded = loadRecording({ directory: settings.data, labelColumn: undefined });
  const graphs = await RoundGraphs.create(SHAPE, settings.training, 1);
  const answer = (message: Answer): void => void process.send?.(message);
  process.on('message', (game: Game) => {
    loaded
      .then(({ recording }) => playGame(recording, graphs, settings, game))
      .then(
        (played) => {
          answer({ type: 'played', played });
        },
        (cause: unknown) => {
          answer({ type: 'failed', message: messageOf(cause) });
        },
      );
  });
  process.on('disconnect', () => process.exit());
}

void main();
