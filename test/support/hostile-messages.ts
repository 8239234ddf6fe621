import fc from 'fast-check';
import { untrainedLineage } from '../../core/contracts/deployments';
import { TOPICS } from '../../core/contracts/topics';
import { modelMessage } from '../../core/model/deployment-messages';
import { encodeFrame } from '../../core/platform/frames';
import { type HostileMessage } from './hostile-message';
import { rejects } from './hostile-rejects';
import { AT, EPOCHS, FAR_WINDOW, garbage, mutated, TWO_53 } from './hostile-values';
import { untrainedModel } from './task';

/** A block under an epoch that nobody has, or of a window that no event reaches. */
const blocks = fc
  .record({
    partition: fc.constantFrom(0, 1, 77),
    epoch: fc.constantFrom(...EPOCHS),
    window: fc.constantFrom(0, FAR_WINDOW, TWO_53 - 1),
    ordinal: fc.constantFrom(0, 5, 2 ** 31 - 1),
    last: fc.boolean(),
  })
  .map(({ partition, epoch, window: window_start, ordinal, last }) => ({
    partition,
    epoch,
    window_start,
    window_end: window_start + 30_000_000,
    ordinal,
    last,
  }));

const ghost = { device_id: ['ghost'] };
const one = (names: readonly string[], value: unknown = 1): object =>
  Object.fromEntries(names.map((name) => [name, [value]]));
const analysisColumns = {
  ...ghost,
  ...one(['count', 'avg', 'min', 'max', 'stddev', 'max_abs_z', 'outliers', 'humidity_avg', 'pressure_avg']),
  actual_anomaly: [null],
};
const evaluationColumns = {
  model_version: ['v900'],
  ...ghost,
  ...one(['prediction_result', 'actual_result', 'error', 'loss', 'is_correct', 'confidence']),
  ...one(['persistence_error', 'predicted_anomaly', 'actual_anomaly']),
  regime: ['steady'],
};
const fences = fc
  .constantFrom(...EPOCHS)
  .chain((epoch) => mutated({ type: 'fence', partition: 0, epoch, reset: { from: 0, to: FAR_WINDOW } }));

/** Messages of a topic, keyed as it keys them. */
type Keyed = readonly [key: string, value: fc.Arbitrary<Buffer | string | null>];

const MODEL = modelMessage(untrainedModel('v900'), untrainedLineage(1), AT);
const THIRTY = modelMessage(untrainedModel('v901', { inputs: 30 }), untrainedLineage(1), AT);
/** No round could follow it. */
const LAST_ROUND = modelMessage(untrainedModel('v903'), { ...untrainedLineage(1), round: 999_999_999 }, AT);
const staged = (version: string, stage: string): object => ({
  type: 'stage',
  version,
  stage,
  round: 0,
  not_before: null,
  reason: 'forged',
  at: AT,
});
const round = { round: 1, attempt: 'ghost' };
const LOCAL = { device_id: 'ghost', rows: 1, self_reported_accuracy: 1, self_reported_loss: 1, base_loss: 1 };
const decision = { partition: 0, epoch: TWO_53 - 1 };
const frames = (header: object): fc.Arbitrary<Buffer> =>
  mutated(header).map((text) => {
    const head = Buffer.from(text);
    const frame = encodeFrame({}, new Float32Array([1, NaN]));
    const length = Buffer.alloc(4);
    length.writeUInt32LE(head.length);
    return Buffer.concat([length, head, frame.subarray(frame.length - 8)]);
  });

const RIGHT = { n: 1, n_correct: 1, accuracy: 1 };
/** It would stay the latest word on its version, and go through the history of every round. */
const VERDICT = {
  type: 'feedback',
  scope: 'round',
  round: 1,
  model_version: 'v0',
  window_start: 0,
  window_end: 30_000_000,
  n: 1,
  n_correct: 1,
  accuracy: -1e308,
  ...{ skill: null, mae: 1, rmse: 1, bias: 0, calibration: 0, persistence_accuracy: 1, tolerance: 1 },
  by_regime: { normal: RIGHT, anomalous: RIGHT, rising: RIGHT, falling: RIGHT, steady: RIGHT },
  anomalies: {
    ...{ true_positive: 0, false_positive: 0, false_negative: 0, true_negative: 0 },
    tendency: 'unknown',
  },
  worst_devices: Array.from({ length: 1_000 }, () => ({
    device_id: '__proto__',
    ...{ n: 1, accuracy: 1, mae: 1, bias: 1 },
  })),
};

const BY_TOPIC: Readonly<
  Record<Exclude<keyof typeof TOPICS, 'rejects' | 'ingestRejects'>, readonly Keyed[]>
> = {
  stream: [
    ['ghost', mutated({ device_id: 'ghost', timestamp: '2290-01-01T00:00:00Z', temperature: 1 })],
    ['ghost', mutated({ device_id: '__proto__', timestamp: TWO_53, temperature: 1e308 })],
  ],
  ingestMemory: [
    ['devices', mutated({ partitions: TWO_53 - 1 })],
    ['log/0/__proto__', mutated({ log_id: `c/${'f'.repeat(32)}` })],
  ],
  analysis: [
    ['0', blocks.chain((block) => mutated({ type: 'analysis', ...block, columns: analysisColumns }))],
    ['0', fences],
  ],
  evaluations: [
    ['0', blocks.chain((block) => mutated({ type: 'evaluation', ...block, columns: evaluationColumns }))],
    ['0', fences],
  ],
  checkpoints: [
    // No worker stands behind it: the owner claims the partition again.
    [
      'claim/0/ghost/1',
      mutated({ type: 'claim', partition: 0, worker: 'ghost', log: `c/${'f'.repeat(32)}` }),
    ],
    [
      'reset-request/0/ghost',
      mutated({ type: 'reset-request', partition: 0, request: 'ghost', to: 0, closed_until: FAR_WINDOW }),
    ],
    ['start/0/9', mutated({ type: 'start', ...decision, offset: TWO_53 - 1, ends: [TWO_53 - 1] })],
    [
      'activation/0/v901/1/first',
      mutated({ type: 'activation', ...decision, version: 'v901', from_window: null, residual_stddev: null }),
    ],
    [
      'deactivation/0/v0/1/never',
      mutated({ type: 'deactivation', ...decision, version: 'v0', until_window: null }),
    ],
    ['idle/0/9/9', mutated({ type: 'idle', ...decision, offset: TWO_53 - 1, believed_until: TWO_53 - 1 })],
    ['watermark/0/x/9', mutated({ type: 'watermark', ...decision, offset: 0, request: 'x', to: 0 })],
    [
      'checkpoint/0/9/0/0',
      frames({ type: 'checkpoint', ...decision, sequence: TWO_53 - 1, index: 0, pieces: 1 }),
    ],
    [
      'checkpoint/0/9/1/0',
      frames({ type: 'checkpoint', ...decision, epoch: 0, sequence: TWO_53 - 1, index: 0, pieces: 1 }),
    ],
  ],
  history: [
    [
      'ghost/0',
      mutated({
        type: 'history',
        snapshot: 'ghosts',
        chunks: TWO_53 - 1,
        last_window_start: FAR_WINDOW,
        window_micros: 30_000_000,
        devices: [{ device_id: 'ghost', avg: [1], humidity_avg: [1], pressure_avg: [1], stddev: null }],
      }),
    ],
  ],
  updates: [
    ['selection/1/main', mutated({ type: 'selection', ...round, site: 'main', device_id: ['__proto__'] })],
    [
      'outcome/1',
      mutated({
        type: 'outcome',
        ...round,
        version: 'v900',
        ...one(['rows', 'self_reported_accuracy', 'real_accuracy', 'weight']),
        ...ghost,
        site: ['main'],
        left_out: [null],
      }),
    ],
    [
      'left-out/1',
      mutated({ type: 'left-out', ...round, ...ghost, site: ['main'], reason: ['silent'], copies: [1] }),
    ],
    [
      'update/1/main/0',
      frames({
        type: 'update',
        ...round,
        site: 'main',
        chunk: 0,
        base_version: 'v0',
        parameters: 2,
        devices: [LOCAL],
        left_out: [],
      }),
    ],
    ['candidate/1/x', frames({ type: 'candidate', ...round, name: 'x', parameters: 2, refit_share: null })],
    [
      'score/1/main',
      mutated({
        type: 'score',
        ...round,
        site: 'main',
        scored_site: 'main',
        scored_chunk: 0,
        rows_recent: 1,
        rows_long: 1,
        ...ghost,
        correct_recent: [1],
        correct_long: [1],
      }),
    ],
    [
      'site/1/main',
      mutated({
        type: 'site',
        ...round,
        site: 'main',
        devices: 1,
        groups: null,
        latestWindow: FAR_WINDOW,
        readiness: null,
        featureSums: null,
      }),
    ],
  ],
  deployments: [
    ['model/v900', mutated(MODEL)],
    ['model/v901', fc.constant(JSON.stringify(THIRTY))],
    ['stage/v901', fc.constant(JSON.stringify(staged('v901', 'candidate')))],
    ['model/v902', fc.constant(JSON.stringify({ ...MODEL, version: 'v902' }))],
    ['model/v0', fc.constant(JSON.stringify(MODEL))],
    ['stage/v902', mutated(staged('v902', 'candidate'))],
    ['settings', fc.constantFrom('{', '{"type":"settings","settings":{}}')],
    ['server-state/pending', mutated({ type: 'server-state', kind: 'pending', round: 1, state: '' })],
    ['server-state/current', mutated({ type: 'server-state', kind: 'current', round: 1, state: '{}' })],
    ['model/v903', fc.constant(JSON.stringify(LAST_ROUND))],
    ['stage/v903', fc.constant(JSON.stringify(staged('v903', 'candidate')))],
  ],
  feedback: [
    [
      'v900',
      mutated({ type: 'rollback', model_version: 'v900', champion: null, reason: '', by: '', at: AT }),
    ],
    ['v0', mutated(VERDICT)],
    ['v1', mutated({ ...VERDICT, model_version: 'v1' })],
  ],
  windowRequests: [
    ['ghost', mutated({ type: 'window-request', id: 'ghost', windows: TWO_53 - 1, from_window: FAR_WINDOW })],
  ],
};

const others = Object.entries(BY_TOPIC).map(([role, keyed]) => {
  const [, { name: topic, cleanup }] = Object.entries(TOPICS).find(([known]) => known === role) ?? [
    '',
    TOPICS.stream,
  ];
  return fc.constantFrom(...keyed).chain(([key, value]) =>
    fc.record({
      topic: fc.constant<string>(topic),
      message: fc.record({
        key: fc.oneof(
          { weight: 4, arbitrary: fc.constant(key) },
          fc.constantFrom(cleanup === 'compact' ? '' : null, '__proto__', `${key}/x`),
        ),
        value: fc.oneof({ weight: 4, arbitrary: value }, garbage),
        partition: fc.constant(0),
      }),
    }),
  );
});

/** Messages to every topic: what its schema forbids, and what it allows and no log stands behind. */
export const hostileMessages: fc.Arbitrary<HostileMessage> = fc.oneof(rejects, ...others);
