import { type RoundChanges } from '../../core/backtest/changes';
import { type RoundGraphs } from '../../core/backtest/graphs';
import { type TrainingSettings } from '../../core/contracts/rounds';
import { seededRandom } from '../../core/platform/random';
import { type Recording } from '../../fleet/recording';
import { type Clock, type Scenario } from '../../fleet/settings';
import { type Contender } from '../loop/contenders';
import { play } from '../loop/play';
import { type PlayOptions } from '../loop/play-options';
import { type Played } from '../loop/score';
import { World, type ReadingLies, type WorldOptions } from '../loop/world';
import { LIES, type Lie, type LieName } from './lies';

/** Sites that report in games where sites lie: 5 % is one of them. Else one site reports for all devices. */
export const SITES = 20;

export interface GameSettings {
  readonly scenario: Scenario;
  readonly clock: Clock;
  readonly devices: number;
  readonly participants: number | 'all';
  readonly rounds: number;
  readonly windows: number;
  readonly changeRound: number;
  readonly lastRounds: number;
  readonly tolerance: number;
  readonly training: TrainingSettings;
}

/** Who lies: places of devices, or numbers of sites. */
type Liars = ReadonlySet<number>;

/** One fleet, played without liars and with them. */
export class LiarsGame {
  private readonly honest = new Map<string, Played>();
  private readonly worlds = new Map<string, World>();

  constructor(
    private readonly recording: Recording,
    private readonly graphs: RoundGraphs,
    private readonly settings: GameSettings,
    readonly seed: number,
  ) {}

  /**
   * Points of accuracy that a contender loses to liars: on the same honest devices' live windows of the last rounds, each forecast scored once by
   * the version that served, without liars − with them.
   */
  async pointsLost(contender: Contender, name: LieName, share: number): Promise<number> {
    const lie: Lie = LIES[name];
    const { devices } = this.settings;
    const sites = lie.of === 'reports' ? SITES : 1;
    const liars = this.draw(lie.of === 'reports' ? SITES : devices, share);
    const free = await this.withoutLiars(contender, sites);
    const world =
      lie.of === 'readings'
        ? this.falseWorld(`${name}/${share}`, readingLies(lie, liars, this.settings))
        : this.honestWorld(sites);
    const lied = await this.play(world, contender, changesOf(lie, world, liars, this.seed));
    const counts = (place: number): boolean => lie.of === 'reports' || !liars.has(place);
    return this.accuracy(free, counts) - this.accuracy(lied, counts);
  }

  /** The liars of a smaller share are among those of a larger one. */
  private draw(of: number, share: number): Liars {
    const places = Array.from({ length: of }, (_, place) => place);
    seededRandom(this.seed, 'liars', of).shuffle(places);
    return new Set(places.slice(0, Math.round(share * of)));
  }

  private async withoutLiars(contender: Contender, sites: number): Promise<Played> {
    const key = `${contender.name}/${sites}`;
    const known = this.honest.get(key);
    if (known !== undefined) return known;
    const played = await this.play(this.honestWorld(sites), contender);
    this.honest.set(key, played);
    return played;
  }

  private honestWorld(sites: number): World {
    return this.kept(`${sites} sites`, () => this.world(sites));
  }

  /** The last false world alone is kept: each takes 100 MB with 1,000 devices, and games go world by world. */
  private falseWorld(key: string, lies: ReadingLies): World {
    for (const known of this.worlds.keys())
      if (known !== key && known.includes('/')) this.worlds.delete(known);
    return this.kept(key, () => this.world(1, lies));
  }

  private kept(key: string, make: () => World): World {
    const world = this.worlds.get(key) ?? make();
    this.worlds.set(key, world);
    return world;
  }

  private world(sites: number, lies?: ReadingLies): World {
    const { scenario, clock, devices, rounds, windows, changeRound, tolerance, training } = this.settings;
    const options: WorldOptions = {
      scenario,
      clock,
      seed: this.seed,
      devices,
      trainingWindows: training.windows,
      liveWindows: rounds * windows,
      changeWindow: (changeRound - 1) * windows,
      tolerance,
      sites,
    };
    return new World(this.recording, lies === undefined ? options : { ...options, lies });
  }

  private play(
    world: World,
    contender: Contender,
    liesIn?: (round: number) => Partial<RoundChanges>,
  ): Promise<Played> {
    const { rounds, windows, participants } = this.settings;
    const how: PlayOptions = { seed: this.seed, rounds, windowsPerRound: windows, participants };
    return play(world, contender, this.graphs, how, liesIn);
  }

  /** In percent, of the devices that count, over the last rounds. */
  private accuracy({ outcomes }: Played, counts: (place: number) => boolean): number {
    const { rounds, windows, lastRounds } = this.settings;
    const all = rounds * windows;
    const first = all - Math.min(lastRounds, rounds) * windows;
    let right = 0;
    let scored = 0;
    outcomes.forEach((outcome, at) => {
      if (outcome < 0 || at % all < first || !counts(Math.floor(at / all))) return;
      right += outcome;
      scored += 1;
    });
    return (100 * right) / scored;
  }
}

function readingLies(
  lie: Extract<Lie, { of: 'readings' }>,
  liars: Liars,
  { devices, tolerance }: GameSettings,
): ReadingLies {
  const { tell } = lie;
  return {
    source: (place) =>
      tell === null && liars.has(place) ? (place + Math.floor(devices / 2)) % devices : place,
    means: (place, truth, first) =>
      tell === null || !liars.has(place) ? truth : tell(truth, first, tolerance),
  };
}

/** What liars change in a round. */
function changesOf(
  lie: Lie,
  world: World,
  liars: Liars,
  seed: number,
): (round: number) => Partial<RoundChanges> {
  if (lie.of === 'readings') return () => ({});
  if (lie.of === 'updates') {
    const ids = new Set(world.devices.flatMap(({ deviceId }, place) => (liars.has(place) ? [deviceId] : [])));
    return () => ({
      updates: (updates) => lie.tell(updates, (id) => ids.has(id), seededRandom(seed, 'liars', 'direction')),
    });
  }
  const { sums, tally, scores } = lie.tell;
  return () => ({
    sums: (site, told) => (liars.has(site) ? (sums?.(site, told) ?? told) : told),
    tally: (site, told) => (liars.has(site) ? (tally?.(site, told) ?? told) : told),
    scores: (site, told) => (liars.has(site) ? (scores?.(site, told) ?? told) : told),
  });
}
