import { join } from 'node:path';
import { contenderOf } from '../../../bench/liars/contender';
import { LiarsGame } from '../../../bench/liars/game';
import { type LieName } from '../../../bench/liars/lies';
import { SHAPE } from '../../../bench/loop/task';
import { RoundGraphs } from '../../../core/backtest/graphs';
import { trainingSettingsSchema } from '../../../core/contracts/rounds';
import { mean } from '../../../core/federation/vectors';
import { loadRecording } from '../../../fleet/series';

/** A short version of `npm run bench:liars`: a fleet whose clock doubles in the second of five rounds, so that all parts of the loop have work. */
const training = trainingSettingsSchema.parse({ windows: 168 });
const TENTH = 0.1;
const TIMEOUT_MS = 120_000;
let graphs: RoundGraphs;
/** Which candidate is elected, and when, differs from fleet to fleet: what liars cost is the mean of two. */
const SEEDS = [101, 102];
let games: readonly LiarsGame[];

beforeAll(async () => {
  graphs = await RoundGraphs.create(SHAPE, training, 1);
  const directory = join(__dirname, '../../../data/weather');
  const { recording } = await loadRecording({ directory, labelColumn: undefined });
  const settings = {
    scenario: 'clock',
    clock: 'independent',
    devices: 120,
    participants: 12,
    rounds: 5,
    windows: 6,
    changeRound: 2,
    lastRounds: 3,
    tolerance: 1,
    training,
  } as const;
  games = SEEDS.map((seed) => new LiarsGame(recording, graphs, settings, seed));
}, TIMEOUT_MS);
afterAll(() => graphs.release());

describe('the default strategy, with a tenth of liars', () => {
  it.each<LieName>([
    'inverted',
    'scaled',
    'colluding',
    'forged',
    'wild',
    'sums scaled',
    'sums flooded',
    'counts flooded',
  ])(
    'loses under 2 points on honest devices to: %s',
    async (lie) => {
      const lost: number[] = [];
      for (const game of games) lost.push(await game.pointsLost(contenderOf('closed-loop'), lie, TENTH));
      expect(mean(lost)).toBeLessThan(2);
    },
    TIMEOUT_MS,
  );
});

describe('a strategy without a defence', () => {
  it(
    'loses more than 2 points to scaled updates',
    async () => {
      const lost = await games[0]?.pointsLost(contenderOf('fedavg'), 'scaled', TENTH);
      expect(lost).toBeGreaterThan(2);
    },
    TIMEOUT_MS,
  );
});
