import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { z } from 'zod';
import { type TrainingSettings } from '../../core/contracts/rounds';
import { FedloopError } from '../../core/contracts/errors';
import { type Clock } from '../../fleet/settings';
import { type Contender } from './contenders';
import { type LoopScenario } from './scenarios';
import { type Played } from './score';

/** Settings of all games of a run. */
export interface GameSettings {
  readonly data: string;
  readonly devices: number;
  readonly participants: number | 'all';
  readonly rounds: number;
  readonly windows: number;
  readonly changeRound: number;
  readonly tolerance: number;
  readonly training: TrainingSettings;
  readonly contenders: readonly Contender[];
  /** Persistence and central training as well. */
  readonly bounds: boolean;
}

/** One fleet, played by every contender. */
export interface Game {
  readonly scenario: LoopScenario;
  readonly clock: Clock;
  readonly seed: number;
}

export interface PlayedGame {
  readonly game: Game;
  readonly played: ReadonlyMap<string, Played>;
}

const counts = z.custom<Float64Array>((value) => value instanceof Float64Array);
const playedSchema = z.object({
  correct: counts,
  counted: counts,
  healthyCorrect: counts,
  healthyCounted: counts,
  absoluteError: counts,
  outcomes: z.custom<Int8Array>((value) => value instanceof Int8Array),
  served: z.string(),
});
/** A player's answer when a game is over. */
const answerSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('played'), played: z.map(z.string(), playedSchema) }),
  z.object({ type: z.literal('failed'), message: z.string() }),
]);
export type Answer = z.infer<typeof answerSchema>;

/**
 * Play all games in `processes` processes at once, each of which takes the next game when it is done with one. Results do not depend on
 * how many there are. Rejects with the first failure; players end with this process.
 * @param onDone called after each game with how many are done
 */
export async function playGames(
  games: readonly Game[],
  settings: GameSettings,
  processes: number,
  onDone: (done: number) => void,
): Promise<PlayedGame[]> {
  const waiting = [...games.entries()];
  const results: PlayedGame[] = [];
  let done = 0;
  const players = Array.from({ length: Math.min(processes, games.length) }, () =>
    fork(join(__dirname, 'player.js'), [JSON.stringify(settings)], { serialization: 'advanced' }),
  );
  const playWaiting = async (player: ChildProcess): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [place, game] = next;
      results[place] = { game, played: await askToPlay(player, game) };
      done += 1;
      onDone(done);
    }
  };
  try {
    await Promise.all(players.map(playWaiting));
    return results;
  } finally {
    for (const player of players) player.kill();
  }
}

function askToPlay(player: ChildProcess, game: Game): Promise<ReadonlyMap<string, Played>> {
  const name = `${game.scenario}, ${game.clock} clock, seed ${game.seed}`;
  return new Promise((resolve, reject) => {
    const forget = (): void => {
      player.off('message', onMessage).off('exit', onExit);
    };
    const onMessage = (message: unknown): void => {
      forget();
      const answer = answerSchema.parse(message);
      if (answer.type === 'played') resolve(answer.played);
      else reject(new FedloopError('InvalidData', `${name}: ${answer.message}`));
    };
    const onExit = (code: number | null): void => {
      forget();
      reject(new FedloopError('Internal', `${name}: the player ended with ${String(code)}`));
    };
    player.on('message', onMessage).on('exit', onExit);
    player.send(game);
  });
}
