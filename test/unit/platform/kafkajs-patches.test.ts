import { createRequire } from 'node:module';
import pino from 'pino';
import { applyPatches, patchKafkajs, PATCHES } from '../../../core/platform/kafka/kafkajs-patches';
import {
  encodeProduceRequest,
  type ProduceRequest,
} from '../../../core/platform/kafka/kafkajs-patches/produce-request';
import { type FetchResponse } from '../../../core/platform/kafka/kafkajs-patches/fetch-response';
import { FetchedRecord } from '../../../core/platform/kafka/fetched-records';
import { RecordBatch } from '../../../core/platform/kafka/record-batch';
import { type Logger } from '../../../core/platform/log';
import { fetchResponseOf } from '../../support/fetch-response';

const WARN = 40;
const NAMES = PATCHES.map(({ name }) => name);

interface Line {
  readonly level: number;
  readonly patch: string;
  readonly reason?: string;
  readonly msg: string;
}

function recordingLogger(): { readonly log: Logger; readonly lines: readonly Line[] } {
  const lines: Line[] = [];
  const write = (line: string): unknown => lines.push(JSON.parse(line) as Line);
  return { log: pino({ level: 'debug' }, { write }), lines };
}

/** A library of the right version whose modules are these. */
const libraryOf =
  (modules: (path: string) => unknown, version = '2.2.4') =>
  (path: string): unknown =>
    path === 'kafkajs/package.json' ? { version } : modules(path);

const library = createRequire(__filename);
const NOW = 1_700_000_000_000;
const REQUEST: ProduceRequest = {
  acks: -1,
  timeout: 1_000,
  topicData: [
    { topic: 't', partitions: [{ partition: 0, messages: [{ value: 'x', timestamp: String(NOW) }] }] },
  ],
};

describe('the patches of kafkajs', () => {
  const { log, lines } = recordingLogger();
  beforeAll(() => {
    patchKafkajs(log);
    patchKafkajs(log);
  });

  it('take hold with the installed version, once a process, and say so at debug', () => {
    expect(lines.map(({ level, patch, msg }) => [level < WARN, patch, msg])).toEqual(
      NAMES.map((name) => [true, name, 'kafkajs is patched']),
    );
  });

  it('change how the library reads', async () => {
    const { requests } = library('kafkajs/src/protocol/requests') as {
      requests: {
        Fetch: {
          protocol(
            wanted: object,
          ): (fetch: object) => { response: { decode(response: Buffer): Promise<FetchResponse> } };
        };
      };
    };
    const batch = new RecordBatch([{ value: 'x' }], NOW);
    const bytes = Buffer.alloc(batch.bytes);
    batch.writeTo(bytes, 0);
    const messagesFrom = async (fetchOffset: string): Promise<unknown> => {
      const topics = [{ topic: 'topic', partitions: [{ partition: 3, fetchOffset }] }];
      const { response } = requests.Fetch.protocol({ version: 11 })({ topics });
      return (await response.decode(fetchResponseOf(bytes))).responses[0]?.partitions[0]?.messages;
    };
    expect(await messagesFrom('0')).toEqual([expect.any(FetchedRecord)]);
    // Behind all that was read: the library would take the wanted offset for compacted away.
    expect(await messagesFrom('1')).toEqual([]);
  });

  it('leave a topic that is gone out of what a client learns of several', async () => {
    const { requests } = library('kafkajs/src/protocol/requests') as {
      requests: {
        Metadata: {
          protocol(wanted: object): (question: object) => {
            response: { parse(answer: object): Promise<{ topicMetadata: { topic: string }[] }> };
          };
        };
      };
    };
    const topic = (name: string, topicErrorCode: number) => ({
      ...{ topic: name, topicErrorCode, partitionMetadata: [] },
    });
    const learn = async (...topicMetadata: object[]): Promise<string[]> => {
      const { response } = requests.Metadata.protocol({ version: 6 })({ topics: ['a', 'b'] });
      return (await response.parse({ topicMetadata })).topicMetadata.map(({ topic: name }) => name);
    };
    const [ok, missing, refused] = [0, 3, 29];
    expect(await learn(topic('a', ok), topic('b', missing))).toEqual(['a']);
    await expect(learn(topic('a', missing), topic('b', missing))).rejects.toThrow('does not host');
    await expect(learn(topic('a', ok), topic('b', refused))).rejects.toThrow('Not authorized');
  });

  it('change how the library writes', async () => {
    const { requests } = library('kafkajs/src/protocol/requests') as {
      requests: {
        Produce: {
          protocol(
            wanted: object,
          ): (produced: object) => { request: { encode(): Promise<{ buffer: Buffer }> } };
        };
      };
    };
    const { request } = requests.Produce.protocol({ version: 7 })(REQUEST);
    expect((await request.encode()).buffer).toEqual(encodeProduceRequest(REQUEST, NOW));
  });

  it.each([
    [
      'of another version',
      libraryOf(() => ({ decode: () => 1, protocol: () => 1 }), '2.3.0'),
      /written for kafkajs 2\.2\.4, and 2\.3\.0 is/,
    ],
    ['without the modules', libraryOf(() => undefined), /looks different than expected/],
    ['whose modules lack the functions', libraryOf(() => Map), /looks different than expected/],
    ['that cannot be found', () => undefined, /and another is installed/],
  ])('leave a library alone that is %s, and warn of what that costs', (_, load, reason) => {
    const { log, lines } = recordingLogger();
    applyPatches(log, load);
    expect(lines.map(({ level, patch }) => [level, patch])).toEqual(NAMES.map((name) => [WARN, name]));
    for (const [at, line] of lines.entries()) {
      expect(line.reason).toMatch(reason);
      expect(line.msg).toBe(`kafkajs is not patched, so ${PATCHES[at]!.otherwise}`);
    }
  });

  it('change nothing in a module that looks different', () => {
    const before = { decoder: () => 1, protocols: () => 2 };
    const module = { ...before };
    applyPatches(
      recordingLogger().log,
      libraryOf(() => module),
    );
    expect(module).toEqual(before);
  });
});
