import fc from 'fast-check';
import { deploymentMessageSchema, type DeploymentMessage } from '../../core/contracts/deployments';
import { microsOfText } from '../../core/contracts/timestamps';
import { isoOfMicros } from '../../core/contracts/time';
import { DEFAULT_TASK } from '../../core/contracts/task';
import { TOPICS } from '../../core/contracts/topics';
import { parseJson } from '../../core/contracts/validation';
import { modelMessage } from '../../core/model/deployment-messages';
import { type OutgoingMessage } from '../../core/platform/kafka';
import { decodeFrame, encodeFrame } from '../../core/stream/ownership/checkpoint-chunks';
import { type FleetRecord, sentAgain } from './fleet-records';
import { type HostileMessage } from './hostile-message';
import { FAR_WINDOW, TWO_53 } from './hostile-values';
import { untrainedModel } from './task';

/** How a second fleet of the same release differs from the first. */
interface OtherFleet {
  /** Its partitions were claimed at other places of its log. */
  readonly epoch: number;
  /** How far its clock is from ours, in windows. */
  readonly windows: number;
  /** Rounds that it is ahead. */
  readonly rounds: number;
  /** Draws its weights. */
  readonly seed: number;
}

/** A year behind, the same time, and an hour ahead. */
const WINDOWS_APART = [-365 * 2_880, 0, 120];
/** Where a year ahead of the wall clock lies: an event between this fleet's time and the wall's could be right. */
const FUTURE = Date.UTC(2090, 0, 1) * 1_000;
const TIMES = new Set([
  'window_start',
  'window_end',
  'from_window',
  'until_window',
  'not_before',
  'last_window_start',
  'latestWindow',
  'data_from',
  'data_until',
]);
const OWN_NAMES = new Set(['attempt', 'worker', 'request', 'snapshot', 'id']);
const FRAMED = /^(?:update|candidate|checkpoint)\//;

/** Fewer than must agree before a partition's time moves. */
const OTHER_DEVICES = 2;

/** The fields of a message as the other fleet has them. */
function ofOther(message: unknown, other: OtherFleet): unknown {
  return JSON.parse(JSON.stringify(message), (name: string, value: unknown): unknown => {
    if (name === 'epoch') return other.epoch;
    if (name === 'round' && typeof value === 'number') return value + other.rounds;
    if (OWN_NAMES.has(name) && typeof value === 'string') return 'other-fleet';
    if (TIMES.has(name) && typeof value === 'number')
      return value + other.windows * DEFAULT_TASK.windowMicros;
    if (name !== 'device_id') return value;
    return Array.isArray(value) ? value.map((id) => `other-${String(id)}`) : `other-${String(value)}`;
  });
}

function deploymentOf(message: DeploymentMessage, { seed, rounds }: OtherFleet): DeploymentMessage {
  switch (message.type) {
    case 'model': {
      const { version, lineage, created_at } = message;
      return modelMessage(untrainedModel(version, { seed }), lineage, created_at);
    }
    case 'settings': {
      const { settings } = message;
      const task = { ...settings.task, windowMicros: 2 * settings.task.windowMicros };
      return { ...message, settings: { ...settings, task } };
    }
    case 'server-state':
    case 'privacy-booking':
      return { ...message, round: message.round + rounds };
    case 'stage':
      return message;
  }
}

/** Each of its devices sends to one partition, as a fleet's do. */
function eventOf(event: unknown, partition: number, { windows, seed }: OtherFleet): unknown {
  return JSON.parse(JSON.stringify(event), (name: string, value: unknown): unknown => {
    if (name === 'device_id') return `other-${partition}-${seed % OTHER_DEVICES}`;
    if (name !== 'timestamp' || typeof value !== 'string') return value;
    if (windows > 0) return isoOfMicros(FUTURE);
    return isoOfMicros(microsOfText(value) + windows * DEFAULT_TASK.windowMicros);
  });
}

function keyOf(role: FleetRecord['role'], key: string | null, other: OtherFleet): string | null {
  if (key === null || (role !== 'checkpoints' && role !== 'updates')) return key;
  const [kind = '', first = '', ...rest] = key.split('/');
  if (role === 'updates') return [kind, Number(first) + other.rounds, ...rest].join('/');
  return [kind, first, other.epoch, ...rest.slice(1)].join('/');
}

/** What the other fleet writes where this one has written a record. */
function asOtherWrites({ role, record }: FleetRecord, other: OtherFleet): OutgoingMessage {
  const { value, headers } = record;
  const again = sentAgain(record);
  const key = keyOf(role, again.key, other);
  if (role === 'rejects' || role === 'ingestRejects')
    return { ...again, headers: { ...headers, ...('epoch' in headers && { epoch: String(other.epoch) }) } };
  if (value === null) return { ...again, key };
  if (FRAMED.test(again.key ?? '')) {
    const { head, body } = decodeFrame(value);
    const changed = ofOther(head, other);
    const isObject = typeof changed === 'object' && changed !== null;
    return { ...again, key, value: isObject ? encodeFrame(changed, body) : value };
  }
  return {
    ...again,
    key,
    value: JSON.stringify(contentOf({ role, value, partition: record.partition }, other)),
  };
}

/** What a fuzz before this one has sent is no JSON everywhere, and some of it is nested too deep to be written again. */
function isWhole({ role, record: { key, value } }: FleetRecord): boolean {
  if (value === null || role === 'rejects' || role === 'ingestRejects') return true;
  const framed = FRAMED.test(key?.toString() ?? '');
  try {
    const content = framed ? decodeFrame(value).head : parseJson(value);
    JSON.stringify(content);
    return content !== undefined;
  } catch {
    return false;
  }
}

function contentOf(
  {
    role,
    value,
    partition,
  }: Pick<FleetRecord, 'role'> & { readonly value: Buffer; readonly partition: number },
  other: OtherFleet,
): unknown {
  const parsed = parseJson(value);
  if (role === 'stream') return eventOf(parsed, partition, other);
  const deployment = role === 'deployments' ? deploymentMessageSchema.safeParse(parsed) : undefined;
  return deployment?.success === true ? deploymentOf(deployment.data, other) : ofOther(parsed, other);
}

/** Right requests of windows that no round can mean, and of some that it can: these pace nobody but a simulated fleet. */
const windowRequests: fc.Arbitrary<HostileMessage> = fc
  .oneof(
    fc.record({
      windows: fc.constantFrom(1, 1_000),
      from_window: fc.constantFrom(FAR_WINDOW, TWO_53 - 1, TWO_53 - 1_000_000),
    }),
    fc.record({
      windows: fc.constantFrom(1, 2),
      from_window: fc.constantFrom(null, 0, -1, 1 - TWO_53),
    }),
  )
  .map((asked) => ({
    topic: TOPICS.windowRequests.name,
    message: {
      key: 'other-fleet',
      value: JSON.stringify({ type: 'window-request', id: 'other-fleet', ...asked }),
    },
  }));

/** Epochs that no owner has, but which a log as long as the fleet's could have. */
function epochsBeside(records: readonly FleetRecord[], partition: number): readonly number[] {
  const log = records.filter(({ role, record }) => role === 'checkpoints' && record.partition === partition);
  const offsetsOf = (kinds: (kind: string) => boolean): number[] =>
    log.filter(({ kind }) => kinds(kind)).map(({ record }) => record.offset);
  const present = Math.max(-1, ...offsetsOf((kind) => kind === 'claim'));
  return [...offsetsOf(() => true).filter((offset) => offset !== present), 2 ** 40];
}

/**
 * Whole right messages that are none of the fleet's own: what a second one of its release writes to the same topics, and its own records sent
 * again. All of an epoch that no owner has: against who knows the present one, the broker's rights stand.
 */
export function messagesOfOthers(all: readonly FleetRecord[]): fc.Arbitrary<HostileMessage> {
  const records = all.filter(isWhole);
  const kinds = [...new Set(records.map(nameOfKind))];
  const ofKind = kinds.map((kind) => {
    const alike = records.filter((one) => nameOfKind(one) === kind);
    return fc.constantFrom(...alike).chain((known) => {
      const other = fc.record({
        epoch: fc.constantFrom(...epochsBeside(records, known.record.partition)),
        windows: fc.constantFrom(...WINDOWS_APART),
        rounds: fc.nat({ max: 2 }),
        seed: fc.nat({ max: 9 }),
      });
      const messages = fc.oneof(
        fc.constant(sentAgain(known.record)),
        other.map((fleet) => asOtherWrites(known, fleet)),
      );
      return messages.map((message) => ({ topic: TOPICS[known.role].name, message }));
    });
  });
  return fc.oneof(windowRequests, ...ofKind);
}

function nameOfKind({ role, kind }: FleetRecord): string {
  return `${role} ${kind}`;
}

/** A claim of each partition by a worker of another fleet: it makes all epochs so far old ones. */
export function foreignClaims(records: readonly FleetRecord[]): readonly OutgoingMessage[] {
  const partitions = new Set(
    records.filter(({ role }) => role === 'checkpoints').map(({ record }) => record.partition),
  );
  return [...partitions].map((partition) => ({
    key: `claim/${partition}/other-fleet/1`,
    partition,
    value: JSON.stringify({ type: 'claim', partition, worker: 'other-fleet' }),
  }));
}
