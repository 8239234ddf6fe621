import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { untrainedLineage, type DeploymentMessage, type Stage } from '../../../core/contracts/deployments';
import { FedloopError, messageWithHint } from '../../../core/contracts/errors';
import { DEFAULT_STREAM_SETTINGS } from '../../../core/contracts/settings';
import { TOPICS } from '../../../core/contracts/topics';
import { modelMessage, stageMessage } from '../../../core/model/deployment-messages';
import { timeBehind } from '../../../core/model/deployment-order';
import { followDeployments, logDeployment, type Deployments } from '../../../core/model/deployments';
import { unsignedDeployments } from '../../../core/model/unsigned-deployments';
import { type DeploymentKeys } from '../../../core/platform/deployment-keys';
import {
  type GroupConsumerOptions,
  type IncomingRecord,
  type Kafka,
  type OutgoingMessage,
  type RawBatch,
  type RawRecord,
} from '../../../core/platform/kafka';
import { readBatches } from '../../../core/platform/kafka/fetched-batches';
import { withSignatures } from '../../../core/platform/kafka/signed-topics';
import { silentLogger } from '../../../core/platform/log';
import { openWarehouse } from '../../../core/warehouse/database/open';
import { type SinkReport } from '../../../core/warehouse/sink/report';
import { Sink } from '../../../core/warehouse/sink/sink';
import { batchOf } from '../../support/batches';
import { keysOf, makeKeyFiles, type KeyFiles } from '../../support/signing-keys';
import { untrainedModel } from '../../support/task';
import { MemoryKafka } from '../fleet/memory-kafka';
import { temporaryFolder } from '../warehouse/helpers';

const TOPIC = TOPICS.deployments.name;
const day = (number: number): string => `2026-01-0${number}T00:00:00.000Z`;
const model = modelMessage(untrainedModel('v1'), untrainedLineage(1), day(1));
const other = modelMessage(untrainedModel('v2'), untrainedLineage(2), day(1));
const stage = (version: 'v1' | 'v2', to: Stage, at: string): DeploymentMessage =>
  stageMessage(
    { version: (version === 'v1' ? model : other).version, stage: to, round: 1, reason: 'a test' },
    at,
  );
const settings: DeploymentMessage = { type: 'settings', settings: DEFAULT_STREAM_SETTINGS };

let ours: KeyFiles;
let theirs: KeyFiles;
let memory: MemoryKafka;
let reader: DeploymentKeys;

beforeAll(() => {
  ours = makeKeyFiles();
  theirs = makeKeyFiles();
});
afterAll(() => {
  for (const { folder } of [ours, theirs]) rmSync(folder, { recursive: true });
});
beforeEach(async () => {
  memory = new MemoryKafka({ [TOPIC]: 1 });
  reader = await keysOf({ trusted: [ours.trusted] });
});

/** The broker as a process with these keys sees it. */
function seenWith(keys: DeploymentKeys): Kafka {
  const plain = {
    tail: (options) => memory.tail(options),
    producer: () => memory.producer(),
    offsets: (name) => memory.offsets(name),
    consume: (options) => memory.consume(options),
  } satisfies Partial<Kafka>;
  return withSignatures(Object.assign(Object.create(memory) as MemoryKafka, plain), keys);
}

async function write(keys: DeploymentKeys, ...messages: readonly DeploymentMessage[]): Promise<void> {
  await logDeployment(await seenWith(keys).producer(), messages);
}

const follow = (keys: DeploymentKeys): Promise<Deployments> =>
  followDeployments(seenWith(keys), silentLogger());

/** The versions that a reader takes, with their stages. */
const taken = (deployments: Deployments): readonly string[] =>
  deployments.versions().map(({ version, stage: { stage: name } }) => `${version} ${name}`);

function logged(at: number): IncomingRecord {
  return memory.records(TOPIC)[0]![at]!;
}

/** A record once more, as somebody without a key could write it. */
function again({ key, value, headers }: IncomingRecord, change: Partial<OutgoingMessage> = {}): void {
  memory.append(TOPIC, [{ key: key!.toString(), value, headers, ...change }]);
}

describe('a process that trusts a key', () => {
  it('takes in what that key has signed', async () => {
    await write(await keysOf({ signing: ours.signing }), settings, model, stage('v1', 'champion', day(1)));
    const deployments = await follow(reader);
    expect(taken(deployments)).toEqual(['v1 champion']);
    expect(deployments.loggedSettings()).toEqual(DEFAULT_STREAM_SETTINGS);
    expect(deployments.refused).toBe(0);
  });

  it.each([
    ['nobody has signed', (): Promise<DeploymentKeys> => keysOf({})],
    ['another key has signed', () => keysOf({ signing: theirs.signing })],
    ['was signed for another fleet', () => keysOf({ signing: ours.signing, fleet: 'pumps' })],
  ])('refuses, and counts, what %s, and goes on', async (_, keys) => {
    const writer = await keysOf({ signing: ours.signing });
    await write(writer, model, stage('v1', 'champion', day(1)));
    const deployments = await follow(reader);
    await write(
      await keys(),
      other,
      stage('v2', 'champion', day(2)),
      stage('v1', 'retired', day(2)),
      settings,
    );
    expect(taken(deployments)).toEqual(['v1 champion']);
    expect(deployments.loggedSettings()).toBeUndefined();
    expect(deployments.refused).toBe(4);
    await write(writer, stage('v1', 'shadow', day(3)));
    expect(taken(deployments)).toEqual(['v1 shadow']);
  });

  it('refuses a signature under other bytes, another version or another stage', async () => {
    const writer = await keysOf({ signing: ours.signing });
    await write(writer, model, other, stage('v1', 'candidate', day(1)));
    const deployments = await follow(reader);
    const [signedModel, , signedStage] = [logged(0), logged(1), logged(2)];
    again(signedModel, {
      value: JSON.stringify({ ...model, onnx_base64: other.onnx_base64, sha256: other.sha256 }),
    });
    again(signedModel, { key: 'model/v2', value: JSON.stringify({ ...model, version: 'v2' }) });
    again(signedStage, { key: 'stage/v2', value: JSON.stringify(stage('v2', 'champion', day(1))) });
    again(signedStage, { value: JSON.stringify(stage('v1', 'champion', day(1))) });
    expect(deployments.refused).toBe(4);
    expect(taken(deployments)).toEqual(['v1 candidate']);
  });

  it('refuses an old message that is sent again', async () => {
    const writer = await keysOf({ signing: ours.signing });
    await write(writer, model, stage('v1', 'champion', day(1)), stage('v1', 'rolled-back', day(2)));
    const deployments = await follow(reader);
    again(logged(1));
    expect(taken(deployments)).toEqual(['v1 rolled-back']);
    expect(deployments.refused).toBe(1);
    again(logged(2));
    expect(deployments.refused).toBe(1);
  });

  it('does not start with the settings of a stranger, and says what to do', async () => {
    await write(await keysOf({}), settings);
    const refusal = await follow(reader).catch((cause: unknown) => cause);
    expect(refusal).toBeInstanceOf(FedloopError);
    expect(messageWithHint(refusal)).toBe(
      'the message "settings" of model-deployments is refused: nobody has signed it. If it is yours, set FEDLOOP_SIGNING_KEY where it is deployed and its public half in FEDLOOP_TRUSTED_KEYS here, or sign what is there with `fedloop keys sign`; else find out who can write to the topic.',
    );
  });

  it('writes nothing that nobody would take in', async () => {
    await expect(write(reader, model)).rejects.toMatchObject({
      code: 'InvalidConfig',
      message: /has no key to sign/,
    });
    expect(memory.records(TOPIC)[0]).toEqual([]);
  });

  it('stores in the warehouse what it trusts alone, and puts the rest aside', async () => {
    await write(await keysOf({ signing: ours.signing }), model);
    await write(await keysOf({}), other);
    await inWarehouse(async (store) => {
      const { aside } = await store();
      expect(aside.counts).toEqual({ unsigned: 1 });
      expect(aside.examples[0]).toMatch(
        /model-deployments at 1: .*nobody has signed it.*FEDLOOP_TRUSTED_KEYS/,
      );
    });
  });

  it.each([
    ['together with what followed it', false],
    ['later', true],
  ])(
    'keeps the stage of a version in the warehouse when an old message is sent again, %s',
    async (_, later) => {
      const writer = await keysOf({ signing: ours.signing });
      await write(writer, model, stage('v1', 'rolled-back', day(1)), stage('v1', 'champion', day(2)));
      await inWarehouse(async (store, stagesIn) => {
        if (later) expect((await store()).aside.counts).toEqual({});
        again(logged(1));
        const { aside } = await store();
        expect(aside.counts).toEqual({ invalid: 1 });
        expect(aside.examples[0]).toMatch(/stage\/v1 of model-deployments was sent again after a newer one/);
        expect(await stagesIn('model_versions')).toEqual(['champion']);
        expect(await stagesIn('model_stages')).toEqual(['rolled-back', 'champion']);
      });
    },
  );

  /** With a new warehouse, and a way to store in it what it lacks of the log. */
  async function inWarehouse(
    work: (
      store: () => Promise<SinkReport>,
      stagesIn: (table: 'model_versions' | 'model_stages') => Promise<readonly string[]>,
    ) => Promise<void>,
  ): Promise<void> {
    const folder = temporaryFolder();
    const warehouse = await openWarehouse(join(folder.path, 'w.duckdb'));
    const connection = await warehouse.connect();
    const sink = await Sink.open(connection);
    await work(
      async () => {
        const records: IncomingRecord[] = [];
        const onRecords = (some: readonly IncomingRecord[]): void => void records.push(...some);
        await (await seenWith(reader).tail({ topic: TOPIC, from: 'start', onRecords })).close();
        const found = records.map((record) => ({ ...record, key: record.key?.toString() ?? null }));
        return sink.store([{ topic: TOPIC, partition: 0, records: found }]);
      },
      async (table) =>
        (
          await connection.rows(z.object({ stage: z.string() }), `SELECT stage FROM ${table} ORDER BY rowid`)
        ).map(({ stage: name }) => name),
    );
    await warehouse.close();
    folder.remove();
  }
});

describe('records that a broker hands out in a batch', () => {
  const keyed = async (): Promise<DeploymentKeys> =>
    keysOf({ signing: ours.signing, trusted: [ours.trusted] });

  /** What a group's member is given, from the bytes of a response on. */
  async function consumed(keys: DeploymentKeys): Promise<readonly RawRecord[]> {
    const outgoing = memory.records(TOPIC)[0]!.map(({ key, value, headers }) => ({
      key,
      value,
      headers: { ...headers },
    }));
    const bytes = batchOf(outgoing);
    const from = { wanted: 0, highWatermark: outgoing.length, aborted: [] };
    const fetched = readBatches(bytes, 0, bytes.length, from) as RawRecord[];
    const given: RawRecord[] = [];
    const broker = Object.assign(Object.create(memory) as MemoryKafka, {
      consume: async ({ onBatch }: GroupConsumerOptions) => {
        await onBatch({ topic: TOPIC, partition: 0, records: fetched } as unknown as RawBatch);
      },
    });
    await withSignatures(broker, keys).consume({
      groupId: 'g',
      topics: [TOPIC],
      onAssigned: () => undefined,
      onFailure: () => undefined,
      onBatch: async ({ records }) => {
        given.push(...records);
        await Promise.resolve();
      },
    });
    return given;
  }

  it('keep their key, value, headers and time beside the verdict', async () => {
    await write(await keysOf({ signing: ours.signing }), model);
    await write(await keysOf({}), other);
    const [signed, unsigned] = await consumed(await keyed());
    expect(signed).toMatchObject({ offset: 0, signature: 'valid' });
    expect(signed?.key?.toString()).toBe('model/v1');
    expect(JSON.parse(signed?.value?.toString() ?? '')).toEqual(model);
    expect(Object.keys(signed?.headers ?? {})).toEqual(['fedloop-signature']);
    expect(Number(signed?.timestamp)).toBe(1_700_000_000_000);
    expect(unsigned?.signature).not.toBe('valid');
    expect(JSON.parse(unsigned?.value?.toString() ?? '')).toEqual(other);
  });
});

describe('a process that trusts no key in particular', () => {
  it('takes in everything, signed or not', async () => {
    await write(await keysOf({ signing: ours.signing }), model, stage('v1', 'champion', day(1)));
    await write(await keysOf({}), other, stage('v2', 'candidate', day(1)));
    expect(taken(await follow(await keysOf({})))).toEqual(['v1 champion', 'v2 candidate']);
  });
});

describe('signing a fleet that has run without keys', () => {
  it('writes the latest messages again in their order, once', async () => {
    await write(
      await keysOf({}),
      settings,
      model,
      stage('v1', 'champion', day(1)),
      stage('v1', 'shadow', day(2)),
    );
    memory.append(TOPIC, [{ key: 'stage/v9', value: '{' }]);
    const both = await keysOf({ signing: ours.signing, trusted: [ours.trusted] });
    const found = unsignedDeployments(await records(both));
    expect(found.messages.map(({ type }) => type)).toEqual(['settings', 'model', 'stage']);
    expect(found.passedOver).toBe(1);
    await write(both, ...found.messages);
    expect(taken(await follow(reader))).toEqual(['v1 shadow']);
    memory.append(TOPIC, [{ key: 'stage/v9', value: null }]);
    expect(unsignedDeployments(await records(both)).messages).toEqual([]);
  });

  async function records(keys: DeploymentKeys): Promise<readonly IncomingRecord[]> {
    const found: IncomingRecord[] = [];
    await seenWith(keys).tail({ topic: TOPIC, from: 'start', onRecords: (some) => void found.push(...some) });
    return found;
  }
});

describe('the time of a message', () => {
  it('lies behind what it replaces, whatever this machine’s clock says', () => {
    const late = stage('v1', 'champion', day(5));
    expect(timeBehind([late, undefined, model], Date.parse(day(2)))).toBe('2026-01-05T00:00:00.001Z');
    expect(timeBehind([late], Date.parse(day(6)))).toBe(day(6));
  });
});

describe('files of keys', () => {
  const inFolder = (name: string, content: string): string => {
    const path = join(ours.folder, name);
    writeFileSync(path, content);
    return path;
  };

  it('may hold several public keys', async () => {
    const both = await keysOf({ trusted: [ours.trusted, theirs.trusted] });
    await write(await keysOf({ signing: theirs.signing }), model, stage('v1', 'champion', day(1)));
    expect(taken(await follow(both))).toEqual(['v1 champion']);
  });

  it.each([
    ['that is not there', () => keysOf({ signing: '/nowhere.pem' }), /\/nowhere\.pem: ENOENT/],
    [
      'with a public key to sign with',
      () => keysOf({ signing: ours.trusted }),
      /holds no private Ed25519 key/,
    ],
    [
      'with a private key to trust',
      () => keysOf({ trusted: [ours.signing] }),
      /something else than public keys/,
    ],
    [
      'with anything else',
      () => keysOf({ trusted: [inFolder('a.pem', 'abc')] }),
      /holds no public Ed25519 key/,
    ],
    [
      'of which nobody here would trust the other half',
      () => keysOf({ signing: ours.signing, trusted: [theirs.trusted] }),
      /none that FEDLOOP_TRUSTED_KEYS trusts/,
    ],
  ])('are refused %s', async (_, keys, why) => {
    await expect(keys()).rejects.toMatchObject({ code: 'InvalidConfig', message: why });
  });

  it('are never told: neither their content nor a key that stands where a file is named', async () => {
    const secret = ours.privatePem.split('\n')[1]!;
    const told = await Promise.all(
      [
        keysOf({ signing: ours.privatePem }),
        keysOf({ trusted: [ours.privatePem] }),
        keysOf({ signing: inFolder('broken.pem', ours.privatePem.replace(secret, secret.slice(4))) }),
      ].map((keys) =>
        keys.catch((cause: unknown) => `${messageWithHint(cause)} ${String((cause as Error).stack)}`),
      ),
    );
    for (const text of told) {
      expect(text).toContain('FEDLOOP_');
      expect(text).not.toContain(secret.slice(8));
    }
  });
});
