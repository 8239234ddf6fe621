import fc from 'fast-check';
import { type AnalysisBlock } from '../../../core/contracts/blocks';
import { untrainedLineage } from '../../../core/contracts/deployments';
import { TOPICS } from '../../../core/contracts/topics';
import { modelMessage } from '../../../core/model/deployment-messages';
import { type OutgoingMessage } from '../../../core/platform/kafka';
import { type SerialConnection } from '../../../core/warehouse/database/connection';
import { openWarehouse, type Warehouse } from '../../../core/warehouse/database/open';
import { type SinkRecord } from '../../../core/warehouse/sink/records';
import { type SinkReport } from '../../../core/warehouse/sink/report';
import { Sink } from '../../../core/warehouse/sink/sink';
import { hostileMessages } from '../../support/hostile-messages';
import { untrainedModel } from '../../support/task';
import { analysisBlock, batch, evaluationBlock, frame, query, record, WINDOW } from './helpers';

const TOO_LARGE = 2 ** 31;
const AT = '2020-01-01T00:00:00Z';

let warehouse: Warehouse;
let connection: SerialConnection;
let sink: Sink;

beforeEach(async () => {
  warehouse = await openWarehouse(':memory:');
  connection = await warehouse.connect();
  sink = await Sink.open(connection);
});
afterEach(() => warehouse.close());

type Message = Omit<SinkRecord, 'offset'>;

function message(value: unknown, extra: Partial<SinkRecord> = {}): Message {
  return record(0, value, extra);
}

function outcome(devices: readonly string[], changes: object = {}): Message {
  const all = <Value>(value: Value): Value[] => devices.map(() => value);
  return message(
    {
      type: 'outcome',
      round: 1,
      attempt: 'a',
      version: 'v1',
      device_id: devices,
      site: all('main'),
      rows: all(3),
      self_reported_accuracy: all(0.5),
      real_accuracy: all(null),
      weight: all(1),
      left_out: all(null),
      ...changes,
    },
    { key: 'outcome/1' },
  );
}

function leftOut(changes: object): Message {
  const one = { device_id: ['x'], site: ['main'], reason: ['silent'], copies: [1] };
  return message({ type: 'left-out', round: 1, attempt: 'a', ...one, ...changes }, { key: 'left-out/1' });
}

function update(changes: object, device: object = {}): Message {
  const one = { device_id: 'x', rows: 1, self_reported_accuracy: 0.5, self_reported_loss: 1, base_loss: 1 };
  return message(
    frame({
      type: 'update',
      round: 1,
      attempt: 'a',
      site: 'main',
      chunk: 0,
      base_version: 'v0',
      parameters: 3,
      devices: [{ ...one, ...device }],
      left_out: [],
      ...changes,
    }),
    { key: 'update/1' },
  );
}

const good = analysisBlock({ window: 0 }, ['a']);
function block(changes: object, columns: Partial<AnalysisBlock['columns']> = {}): Message {
  return message({ ...good, ...changes, columns: { ...good.columns, ...columns } });
}

function reject(changes: Readonly<Record<string, string>>, extra: Partial<SinkRecord> = {}): Message {
  const headers = { reason: 'late', 'source-partition': '0', 'source-offset': '1', ...changes };
  return message(Buffer.from('x'), { headers, ...extra });
}

const sound = modelMessage(untrainedModel('v1'), untrainedLineage(1), AT);
const thirtyInputs = modelMessage(untrainedModel('v1', { inputs: 30 }), untrainedLineage(1), AT);
function model(changes: object, key = 'model/v1'): Message {
  return message({ ...sound, ...changes }, { key });
}

function claim(changes: object): Message {
  return message({ type: 'claim', partition: 0, worker: 'w', ...changes }, { key: 'claim/0/w/1' });
}

const POISON: readonly [topic: keyof typeof TOPICS, what: string, poison: Message, sound: Message][] = [
  ['updates', 'an outcome with one row too many', outcome(['x'], { rows: [3, 3] }), outcome(['a'])],
  [
    'updates',
    'an outcome with rows beyond an INTEGER',
    outcome(['x'], { rows: [TOO_LARGE] }),
    outcome(['a']),
  ],
  ['updates', 'an outcome with a weight beyond measure', outcome(['x'], { weight: [1e300] }), outcome(['a'])],
  ['updates', 'an outcome of half a character', outcome(['\ud800']), outcome(['a'])],
  ['updates', 'an outcome of a device with no end', outcome(['x'.repeat(200_000)]), outcome(['a'])],
  ['updates', 'an attempt with no end', outcome(['x'], { attempt: 'a'.repeat(200_000) }), outcome(['a'])],
  ['updates', 'copies beyond an INTEGER', leftOut({ copies: [TOO_LARGE] }), leftOut({ device_id: ['a'] })],
  ['updates', 'a reason too few', leftOut({ reason: [] }), leftOut({ device_id: ['a'] })],
  [
    'updates',
    'one device left out twice for the same reason',
    leftOut({ device_id: ['x', 'x'], site: ['m', 'm'], reason: ['silent', 'silent'], copies: [1, 1] }),
    leftOut({ device_id: ['a'] }),
  ],
  ['updates', 'an update with rows beyond an INTEGER', update({}, { rows: TOO_LARGE }), update({ chunk: 1 })],
  ['analysis', 'a count beyond an INTEGER', block({}, { count: [TOO_LARGE] }), message(good)],
  ['analysis', 'half an event', block({}, { count: [1.5] }), message(good)],
  ['analysis', 'outliers beyond an INTEGER', block({}, { outliers: [TOO_LARGE] }), message(good)],
  ['analysis', 'an average beyond measure', block({}, { avg: [1e200] }), message(good)],
  ['analysis', 'an ordinal beyond an INTEGER', block({ ordinal: TOO_LARGE }), message(good)],
  ['analysis', 'a window off the grid', block({ window_start: good.window_start + 1 }), message(good)],
  ['analysis', 'a window of another length', block({ window_end: good.window_end + WINDOW }), message(good)],
  ['analysis', 'a column too short', block({}, { max: [] }), message(good)],
  ['analysis', 'another partition', block({ partition: 7 }), message(good)],
  [
    'analysis',
    'a record of no time that can be stored',
    { ...message(good), timestampMillis: 2 ** 62 },
    message(good),
  ],
  [
    'evaluations',
    'a loss without end',
    message(evaluationBlock({ window: 0 }, [{ version: 'v0', device: 'x', error: 1e160 }])),
    message(evaluationBlock({ window: 0 }, [{ version: 'v0', device: 'a', error: 1 }])),
  ],
  ['rejects', 'a partition beyond an INTEGER', reject({ 'source-partition': String(TOO_LARGE) }), reject({})],
  ['rejects', 'an offset beyond 2⁵³', reject({ 'source-offset': '9007199254740993' }), reject({})],
  ['rejects', 'a reason that is none', reject({ reason: 'because' }), reject({})],
  ['checkpoints', 'a claim of another partition', claim({ partition: 5 }), claim({})],
  ['checkpoints', 'a claim of a worker with no end', claim({ worker: 'w'.repeat(1_000) }), claim({})],
  ['deployments', 'a model with a wrong hash', model({ sha256: 'a'.repeat(64) }), model({})],
  ['deployments', 'a model of another version', model({ version: 'v2' }, 'model/v2'), model({})],
  ['deployments', 'a model under another key', model({}, 'model/v9'), model({})],
  ['deployments', 'a model with 30 inputs', model(thirtyInputs), model({})],
  [
    'deployments',
    'a model with megabytes behind it',
    model({ onnx_base64: 'AAAA'.repeat(500_000) }),
    model({}),
  ],
  [
    'deployments',
    'a version made of more devices than an INTEGER has',
    model({ lineage: { ...sound.lineage, devices: TOO_LARGE } }),
    model({}),
  ],
];

/** Thousands of messages are stored, on a busy machine. */
jest.setTimeout(60_000);

describe('one poisoned message', () => {
  it.each(POISON)('of %s, %s, is put aside alone', async (role, _, poison, sane) => {
    const report = await sink.store([
      batch(role, 0, [
        { ...poison, offset: 0 },
        { ...sane, offset: 1 },
        { ...poison, offset: 2 },
      ]),
    ]);
    const topic = TOPICS[role].name;
    expect(report.records).toEqual({ [topic]: { used: 1, aside: 2 } });
    expect(report.aside.counts).toEqual({ invalid: 2 });
    expect(sink.nextOffset(topic, 0)).toBe(3);
    expect(
      await query(
        connection,
        'SELECT topic, source_partition AS p, source_offset AS o, reason FROM dead_letters',
      ),
    ).toEqual([
      { topic, p: 0, o: 0, reason: 'invalid' },
      { topic, p: 0, o: 2, reason: 'invalid' },
    ]);
  });

  it('that only the database refuses is put aside alone, after its neighbours are stored', async () => {
    await connection.run(
      "DROP TABLE stream_claims; CREATE TABLE stream_claims (source_partition INTEGER PRIMARY KEY, epoch BIGINT, worker VARCHAR CHECK (worker <> 'w3'));",
    );
    const claims = Array.from({ length: 8 }, (_, offset) => ({ ...claim({ worker: `w${offset}` }), offset }));
    const report = await sink.store([batch('checkpoints', 0, claims)]);
    expect(report.records).toEqual({ [TOPICS.checkpoints.name]: { used: 7, aside: 1 } });
    expect(await query(connection, 'SELECT source_offset AS o, reason FROM dead_letters')).toEqual([
      { o: 3, reason: 'not-storable' },
    ]);
    expect(await query(connection, 'SELECT epoch, worker FROM stream_claims')).toEqual([
      { epoch: 7, worker: 'w7' },
    ]);
  });

  it('that claims the future of a log changes nothing in it', async () => {
    const forged = {
      type: 'activation',
      partition: 0,
      epoch: Number.MAX_SAFE_INTEGER,
      version: 'v6',
      from_window: null,
      residual_stddev: null,
    };
    const own = { ...forged, epoch: 0, version: 'v1' };
    await sink.store([
      batch('checkpoints', 0, [
        { ...claim({}), offset: 0 },
        { ...message(forged, { key: 'activation/0/v6/1' }), offset: 1 },
        { ...message(own, { key: 'activation/0/v1/0' }), offset: 2 },
      ]),
    ]);
    expect(await query(connection, 'SELECT model_version FROM stream_activations')).toEqual([
      { model_version: 'v1' },
    ]);
  });
});

describe('whatever its schema lets through', () => {
  it('can be stored, and every message is used or put aside', async () => {
    const stored = new Set<string>(
      (
        [
          'analysis',
          'evaluations',
          'rejects',
          'ingestRejects',
          'updates',
          'checkpoints',
          'deployments',
        ] as const
      ).map((role) => TOPICS[role].name),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(hostileMessages, { minLength: 50, maxLength: 100 }), async (messages) => {
        const own = messages.filter(({ topic }) => stored.has(topic));
        const reports: SinkReport[] = [];
        for (const topic of stored) {
          const next = sink.nextOffset(topic, 0);
          const records = own
            .filter((each) => each.topic === topic)
            .map(({ message: sent }, at) => sinkRecord(sent, next + at));
          reports.push(await sink.store([{ topic, partition: 0, records }]));
        }
        const counts = reports.flatMap(({ records }) => Object.values(records));
        expect(counts.reduce((sum, { used, aside }) => sum + used + aside, 0)).toBe(own.length);
        expect(reports.flatMap(({ aside }) => Object.keys(aside.counts))).not.toContain('not-storable');
      }),
      { numRuns: 20 },
    );
  });
});

function sinkRecord({ key, value, headers = {} }: OutgoingMessage, offset: number): SinkRecord {
  const bytes = value === null ? null : Buffer.from(value);
  return { offset, timestampMillis: 1_600_000_000_000, key, value: bytes, headers };
}
