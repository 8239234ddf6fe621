import { aggregate } from '../../../activities/aggregate';
import { deployModels } from '../../../activities/shared/registry';
import { openUpdateInbox } from '../../../activities/shared/update-inbox';
import { untrainedLineage } from '../../../core/contracts/deployments';
import { siteNameSchema, versionIdSchema } from '../../../core/contracts/ids';
import { federatedRoundInputSchema, partsFor } from '../../../core/contracts/rounds';
import { type AggregateResult, type RoundPlan } from '../../../core/contracts/steps';
import { TOPICS } from '../../../core/contracts/topics';
import { updateKey, type UpdateHeader } from '../../../core/contracts/updates';
import { followDeployments, type Deployments } from '../../../core/model/deployments';
import { initialWeights } from '../../../core/model/network';
import { parameterCount } from '../../../core/model/types';
import { encodeFrame } from '../../../core/platform/frames';
import { type Producer } from '../../../core/platform/kafka';
import { silentLogger } from '../../../core/platform/log';
import { type SerialConnection } from '../../../core/warehouse/database/connection';
import { openWarehouse, type Warehouse } from '../../../core/warehouse/database/open';
import { Sink } from '../../../core/warehouse/sink/sink';
import { MemoryKafka } from '../fleet/memory-kafka';
import { query } from '../warehouse/helpers';
import { SHAPE } from '../../support/task';

/**
 * A round's updates on their way through the log, the aggregator and the tables, with senders that do everything wrong.
 */
const site = siteNameSchema.parse('main');
const v0 = versionIdSchema.parse('v0');
const PARAMETERS = parameterCount(SHAPE);
const FINE = new Float32Array(PARAMETERS).fill(0.01);

let kafka: MemoryKafka;
let producer: Producer;
let deployments: Deployments;
let warehouse: Warehouse;
let connection: SerialConnection;

beforeEach(async () => {
  kafka = new MemoryKafka({ [TOPICS.deployments.name]: 1, [TOPICS.updates.name]: 1 });
  producer = await kafka.producer();
  deployments = await followDeployments(kafka, silentLogger());
  warehouse = await openWarehouse(':memory:');
  connection = await warehouse.connect();
  const features = Array.from({ length: SHAPE.inputs }, (_, index) => index);
  const model = {
    metadata: {
      version: v0,
      shape: SHAPE,
      scaling: { mean: features, scale: features.map(() => 1) },
      tolerance: 1,
      residualStddev: null,
    },
    weights: initialWeights(SHAPE, 1),
  };
  const lineage = untrainedLineage(1);
  await deployModels(
    producer,
    deployments,
    [{ model, lineage }],
    [{ version: v0, stage: 'champion', round: 0, reason: 'first' }],
  );
});
afterEach(() => warehouse.close());

const plan = (minUpdates: number): RoundPlan => ({
  round: 1,
  attempt: 'this-try',
  fleet: null,
  trainUntil: 0,
  seed: 1,
  champion: v0,
  strategy: 'fedavg',
  strategySettings: {},
  parts: partsFor('fedavg', {}),
  training: federatedRoundInputSchema.parse({}).training,
  privacy: null,
  minUpdates,
});

function select(devices: readonly string[], attempt = 'this-try'): void {
  kafka.append(TOPICS.updates.name, [
    {
      key: updateKey('selection', 1, site, 0),
      value: JSON.stringify({ type: 'selection', round: 1, attempt, site, device_id: devices }),
    },
  ]);
}

function send(
  chunk: number,
  devices: readonly string[],
  about: Partial<UpdateHeader> = {},
  deltas: Float32Array = joined(devices.map(() => FINE)),
): void {
  const header: UpdateHeader = {
    type: 'update',
    round: 1,
    attempt: 'this-try',
    site,
    chunk,
    base_version: v0,
    parameters: PARAMETERS,
    devices: devices.map((device_id) => ({
      device_id,
      rows: 100,
      self_reported_accuracy: 0.9,
      self_reported_loss: 1,
      base_loss: 2,
    })),
    left_out: [],
    ...about,
  };
  sendRaw(chunk, encodeFrame(header, deltas));
}

function sendRaw(chunk: number, value: Buffer): void {
  kafka.append(TOPICS.updates.name, [{ key: updateKey('update', 1, site, chunk), value }]);
}

function joined(parts: readonly Float32Array[]): Float32Array {
  return Float32Array.from(parts.flatMap((part) => [...part]));
}

async function run(minUpdates = 2): Promise<AggregateResult> {
  const inbox = await openUpdateInbox(kafka, silentLogger());
  const last = kafka.records(TOPICS.updates.name)[0]!.length - 1;
  const trained = { last, feedbackUsed: {} };
  try {
    return await aggregate({ producer, deployments, inbox }, plan(minUpdates), trained, -1, []);
  } finally {
    await inbox.close();
    await store();
  }
}

/** Every update message goes into the tables, as the analytics worker has it. */
async function store(): Promise<void> {
  const sink = await Sink.open(connection);
  const records = kafka.records(TOPICS.updates.name)[0]!.map((record) => ({
    ...record,
    key: record.key?.toString('utf8') ?? null,
  }));
  const report = await sink.store([{ topic: TOPICS.updates.name, partition: 0, records }]);
  expect(report.rows.stream_analysis_results).toBe(0);
}

const leftOutRows = () =>
  query(connection, 'SELECT device_id, reason, copies FROM left_out_updates ORDER BY reason, device_id');

describe('bad updates', () => {
  it('are each left out and counted with their reason, in the result and in the tables', async () => {
    select(['old'], 'last-try');
    select(['good', 'better', 'broken', 'boaster', 'twice', 'short', 'stuck']);
    send(0, ['good', 'better', 'twice'], { left_out: [{ device_id: 'stuck', reason: 'constant-data' }] });
    send(1, ['broken'], {}, new Float32Array(PARAMETERS).fill(NaN));
    send(2, ['short'], {}, new Float32Array(PARAMETERS - 1));
    send(3, ['twice', 'twice']);
    send(4, ['stranger']);
    send(5, ['late'], { round: 7 });
    send(6, ['old'], { attempt: 'last-try' });
    send(7, ['boaster'], {
      devices: [
        { device_id: 'boaster', rows: 1, self_reported_accuracy: NaN, self_reported_loss: 1, base_loss: 1 },
      ],
    });
    sendRaw(8, Buffer.from('not a frame'));
    const result = await run();
    expect(result).toMatchObject({
      trained: 3,
      used: 3,
      leftOut: {
        'constant-data': 1,
        'not-finite': 2,
        'not-selected': 1,
        'sent-twice': 2,
        unreadable: 1,
        'wrong-round': 2,
        'wrong-shape': 1,
      },
    });
    expect(await leftOutRows()).toEqual([
      { device_id: 'stuck', reason: 'constant-data', copies: 1 },
      { device_id: 'boaster', reason: 'not-finite', copies: 1 },
      { device_id: 'broken', reason: 'not-finite', copies: 1 },
      { device_id: 'stranger', reason: 'not-selected', copies: 1 },
      { device_id: 'twice', reason: 'sent-twice', copies: 2 },
      { device_id: 'update/1/main/8', reason: 'unreadable', copies: 1 },
      { device_id: 'late', reason: 'wrong-round', copies: 1 },
      { device_id: 'old', reason: 'wrong-round', copies: 1 },
      { device_id: 'short', reason: 'wrong-shape', copies: 1 },
    ]);
  });

  it('do not hide the good one of a device that sent two', async () => {
    select(['good', 'twice']);
    send(0, ['good', 'twice']);
    send(1, ['twice']);
    await run();
    expect(
      await query(
        connection,
        `SELECT device_id, model_version, weight, left_out FROM local_models WHERE attempt = 'this-try' ORDER BY device_id`,
      ),
    ).toEqual([
      { device_id: 'good', model_version: 'v1', weight: 0.5, left_out: null },
      { device_id: 'twice', model_version: 'v1', weight: 0.5, left_out: null },
    ]);
  });

  it('fail a round that has too few good ones, which tells why and makes nothing', async () => {
    select(['good', 'broken']);
    send(0, ['good']);
    send(1, ['broken'], {}, new Float32Array(PARAMETERS).fill(Infinity));
    await expect(run(2)).rejects.toMatchObject({
      code: 'TooFewUpdates',
      message: 'the round has 1 good updates but needs 2; left out: 1 not-finite',
      hint: expect.stringContaining('The champion stays') as string,
    });
    expect(await leftOutRows()).toEqual([{ device_id: 'broken', reason: 'not-finite', copies: 1 }]);
    expect(
      await query(
        connection,
        'SELECT device_id, model_version, left_out FROM local_models ORDER BY device_id',
      ),
    ).toEqual([
      { device_id: 'broken', model_version: null, left_out: 'not-finite' },
      { device_id: 'good', model_version: null, left_out: null },
    ]);
    expect(deployments.champion()?.version).toBe('v0');
  });
});

describe('the lineage of a proposal', () => {
  it('has a hash by which the devices that the tables name can be checked', async () => {
    select(['b', 'a', 'c']);
    send(0, ['b', 'a', 'c']);
    const { contributors } = await run();
    const [row] = await query(
      connection,
      `SELECT sha256(string_agg(device_id, chr(10) ORDER BY device_id)) AS hash, count(*) AS devices
       FROM local_models WHERE round = 1 AND weight > 0`,
    );
    expect(contributors).toEqual([{ proposal: 'sole', devices: 3, sha256: row!['hash'] }]);
    expect(row!['devices']).toBe(3);
  });
});
