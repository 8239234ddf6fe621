import { FedloopError, messageOf } from '../../contracts/errors';
import { seededRandom } from '../../platform/random';
import { type Update } from '../strategies/own/define-strategy';
import { StrategyFailure } from '../strategies/own/running-strategy';
import { isFiniteVector, norm, squaredDistance } from '../vectors';
import { type Subject, type Trial, type TrialStep } from './subjects';

/** What a strategy must hold to, whoever has written it: the contract of `fedloop strategy check`, which Fedloop's own are held to as well. */
export interface CheckResult {
  readonly check: string;
  /** `refused`: it takes no such updates, and says so; a round with them fails, and the champion stays. */
  readonly state: 'passed' | 'refused' | 'failed';
  /** One sentence. */
  readonly text: string;
}

const PARAMETERS = 500;
const DEVICES = 20;
/** Sums of the same numbers in another order differ by rounding, as a share of the step's length. */
const ROUNDING = 1e-4;

/** The names of all checks with what each looks at, in order. */
const CHECKS: Readonly<Record<string, (subject: Subject) => Promise<string>>> = {
  shape: async (subject) => {
    const { delta, weights } = await subject.step(trialOf(ordinary()));
    requireFinite(delta, 'the step');
    requireFinite(weights, 'shares of updates');
    const whole = weights.reduce((sum, share) => sum + share, 0) * (PARAMETERS / delta.length);
    if (Math.abs(whole - 1) > ROUNDING) throw broken(`shares of updates add up to ${whole}, not to 1`);
    if (weights.some((share) => share < 0)) throw broken('an update has a negative share');
    return 'the step has one finite number a parameter, and one share an update';
  },
  determinism: async (subject) => {
    const [one, other] = [await subject.step(trialOf(ordinary())), await subject.step(trialOf(ordinary()))];
    const isSame = one.delta.every((value, at) => Object.is(value, other.delta[at]));
    if (!isSame) throw broken('the same updates, given twice, made two different steps');
    return 'the same updates make the same step, to the last bit';
  },
  order: async (subject) => {
    const updates = ordinary();
    const turned = [...updates.slice(7).reverse(), ...updates.slice(0, 7)];
    const [one, other] = [await subject.step(trialOf(updates)), await subject.step(trialOf(turned))];
    requireAlike(one, other);
    return 'participants in another order make the same step';
  },
  input: async (subject) => {
    if ((await subject.step(trialOf(ordinary()))).changedInput)
      throw broken('updates or context were changed in place');
    return 'updates and context are left as they are';
  },
  'one participant': async (subject) => {
    requireFinite((await subject.step(trialOf(ordinary().slice(0, 1)))).delta, 'the step');
    return 'one participant makes a step of finite numbers';
  },
  'zero updates': async (subject) => {
    const updates = ordinary().map((update) => ({
      ...update,
      delta: new Float32Array(PARAMETERS),
      selfReportedAccuracy: 0,
      baseLoss: 0,
      realAccuracy: { recent: 0, long: 0 },
    }));
    requireFinite((await subject.step(trialOf(updates))).delta, 'the step');
    return 'updates of zeros, from devices that are never right, make a step of finite numbers';
  },
  extremes: async (subject) => {
    const updates = ordinary().map((update, at) => ({
      ...update,
      delta: update.delta.map((value) => value * (at === 0 ? 1e6 : 1e-6)),
      rows: at === 1 ? 0 : update.rows,
      realAccuracy: { recent: null, long: null },
    }));
    requireFinite((await subject.step(trialOf(updates))).delta, 'the step');
    return 'a huge update among tiny ones, without scores, makes a step of finite numbers';
  },
  memory: async (subject) => {
    const { state } = await subject.step(trialOf(ordinary()));
    for (const [name, vector] of Object.entries(state.vectors)) {
      requireFinite(vector, `the state ${JSON.stringify(name)}`);
      if (vector.length !== PARAMETERS) throw broken(`the state ${JSON.stringify(name)} is no vector [P]`);
    }
    requireFinite((await subject.step({ ...trialOf(ordinary(2)), state })).delta, 'the second step');
    return 'a second round goes on from what the first one left';
  },
};

/** Hold a strategy to the contract. It is closed at the end. */
export async function checkStrategy(subject: Subject): Promise<readonly CheckResult[]> {
  const results: CheckResult[] = [];
  try {
    for (const [check, look] of Object.entries(CHECKS)) results.push(await resultOf(subject, check, look));
    return results;
  } finally {
    subject.close();
  }
}

async function resultOf(
  subject: Subject,
  check: string,
  look: (subject: Subject) => Promise<string>,
): Promise<CheckResult> {
  try {
    return { check, state: 'passed', text: await look(subject) };
  } catch (thrown) {
    const text = messageOf(thrown);
    return { check, state: isRefusal(check, thrown) ? 'refused' : 'failed', text };
  }
}

/** With one participant alone a strategy may have nothing to compare. */
function isRefusal(check: string, thrown: unknown): boolean {
  if (check !== 'one participant') return false;
  if (thrown instanceof StrategyFailure) return !thrown.isSlip;
  return thrown instanceof FedloopError && thrown.code === 'TooFewUpdates';
}

/** Updates that lie around one direction, as honest ones do. */
function ordinary(seed = 1): readonly Update[] {
  const random = seededRandom(seed, 'strategy-check');
  const common = Float32Array.from({ length: PARAMETERS }, () => 0.02 * random.normal());
  return Array.from({ length: DEVICES }, (_, at) => ({
    deviceId: `device-${at}`,
    delta: common.map((value) => value + 0.01 * random.normal()),
    rows: 100 + 10 * at,
    localSteps: 20 + 2 * at,
    selfReportedAccuracy: 0.7 + 0.01 * at,
    baseLoss: 0.5 + 0.02 * random.uniform(),
    realAccuracy: { recent: 0.6 + 0.2 * random.uniform(), long: 0.6 + 0.2 * random.uniform() },
  }));
}

function trialOf(updates: readonly Update[]): Trial {
  return { base: new Float32Array(PARAMETERS).fill(0.1), updates, state: null };
}

function requireAlike(one: TrialStep, other: TrialStep): void {
  const apart = Math.sqrt(squaredDistance(one.delta, other.delta));
  if (apart <= ROUNDING * norm(one.delta)) return;
  throw broken(
    `participants in another order make another step: ${(apart / norm(one.delta)).toPrecision(2)} of its length away`,
  );
}

function requireFinite(vector: Float32Array | Float64Array, what: string): void {
  if (!isFiniteVector(vector)) throw broken(`${what} has numbers that are not finite`);
}

function broken(what: string): FedloopError {
  return new FedloopError('StrategyFailed', what);
}
