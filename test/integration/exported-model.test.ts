import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { versionIdSchema } from '../../core/contracts/ids';
import { encodeModel, sha256Of } from '../../core/model/model-file';
import { VersionPredictor } from '../../core/model/batch-predictor';
import { initialWeights } from '../../core/model/network';
import { type GlobalModel } from '../../core/model/types';
import { seededRandom } from '../../core/platform/random';
import { openWarehouse } from '../../core/warehouse/database/open';
import { Sink } from '../../core/warehouse/sink/sink';
import { TOPICS } from '../../core/contracts/topics';
import { pythonWithOnnxruntime } from '../support/python-onnxruntime';
import { describeWith, PYTHON } from '../support/requirements';
import { SHAPE } from '../support/task';

/**
 * A model that leaves Fedloop: out of the registry of a run that is over, through the command line, into another runtime.
 */
const FEDLOOP = resolve(__dirname, '../../bin/fedloop.js');
const SCRIPT = resolve(__dirname, '../support/run_model.py');
const ROWS = 500;
/** The first test of a fresh machine downloads the packages. */
const INSTALL_TIMEOUT_MS = 300_000;

// Each command is a process of its own, and CI's two cores are busy.
jest.setTimeout(60_000);

const run = promisify(execFile);
const random = seededRandom(5, 'exported-model');
let folder: string;
let exported: string;
let model: GlobalModel;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fedloop-export-'));
  exported = join(folder, 'model.onnx');
  const perFeature = (of: () => number): number[] => Array.from({ length: SHAPE.inputs }, of);
  model = {
    metadata: {
      version: versionIdSchema.parse('v3'),
      shape: SHAPE,
      scaling: {
        mean: perFeature(() => 10 * random.normal()),
        scale: perFeature(() => 0.1 + random.uniform()),
      },
      tolerance: 0.5,
      residualStddev: 0.7,
    },
    weights: initialWeights(SHAPE, 11).map((weight) => weight + 0.1 * random.normal()),
  };
  const warehouse = await openWarehouse(join(folder, 'warehouse.duckdb'));
  const bytes = encodeModel(model);
  const messages = [
    {
      type: 'model',
      version: 'v3',
      onnx_base64: Buffer.from(bytes).toString('base64'),
      sha256: sha256Of(bytes),
      created_at: '2026-01-01T00:00:00Z',
      lineage: {
        round: 3,
        parents: ['v2'],
        strategy: 'fedavg',
        role: null,
        seed: 1,
        devices: 2,
        devices_sha256: null,
        data_from: null,
        data_until: null,
        feedback_used: {},
      },
    },
    {
      type: 'stage',
      version: 'v3',
      stage: 'champion',
      round: 3,
      not_before: null,
      reason: 'better',
      by: 'fedloop',
      at: '2026-01-01T00:00:00Z',
    },
  ];
  const sink = await Sink.open(await warehouse.connect());
  await sink.store([
    {
      topic: TOPICS.deployments.name,
      partition: 0,
      records: messages.map((message, offset) => ({
        offset,
        timestampMillis: 0,
        key: `${message.type}/${message.version}`,
        headers: {},
        value: Buffer.from(JSON.stringify(message)),
      })),
    },
  ]);
  await warehouse.close();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function fedloop(...words: string[]): Promise<unknown> {
  const { stdout } = await run(process.execPath, [FEDLOOP, 'models', ...words, '--json'], {
    cwd: folder,
    env: { ...process.env, FEDLOOP_WAREHOUSE: join(folder, 'warehouse.duckdb') },
  });
  return JSON.parse(stdout);
}

describe('a version of a run that is over', () => {
  it('is found by name, with its stages', async () => {
    expect(await fedloop('list')).toMatchObject([{ version: 'v3', stage: 'champion', parents: ['v2'] }]);
    expect(await fedloop('show', 'champion')).toMatchObject({
      version: { version: 'v3', strategy: 'fedavg' },
      stages: [{ stage: 'champion', by: 'fedloop', reason: 'better' }],
    });
    expect(await fedloop('diff', 'v3', 'champion')).toMatchObject({
      fields: [],
      feedback: [],
      weights: { all: 0 },
      live: null,
    });
  });

  it('is exported byte by byte as it was deployed, and never over a file that is there', async () => {
    const { sha256 } = z
      .object({ sha256: z.string() })
      .parse(await fedloop('export', 'champion', '--out', exported));
    expect(sha256Of(await readFile(exported))).toBe(sha256);
    await expect(fedloop('export', 'v3', '--out', exported)).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('is there already') as string,
    });
  });
});

describeWith(PYTHON, 'an exported model', () => {
  it(
    'gives the same numbers in another ONNX runtime, to 1e-5',
    async () => {
      await fedloop('export', 'v3', '--out', exported, '--force');
      const rows = Array.from({ length: ROWS }, (_, row) =>
        Array.from({ length: SHAPE.inputs }, (_, feature) =>
          // Some values are missing; one row has none at all.
          row === 0 || (row % 7 === 0 && feature % 5 === 0)
            ? null
            : Math.fround(model.metadata.scaling.mean[feature]! + 3 * random.normal()),
        ),
      );
      const features = Float32Array.from(rows.flatMap((row) => row.map((value) => value ?? NaN)));
      const predictor = await VersionPredictor.create({ shape: SHAPE, threads: 1 });
      const ours = await predictor.predict([model], features);
      await predictor.release();
      const theirs = await inPython(rows);
      expect(theirs).toHaveLength(ROWS);
      expect(new Set(theirs.map((value) => value.toFixed(3))).size).toBeGreaterThan(ROWS / 2);
      theirs.forEach((value, row) => {
        expect(Math.abs(value - ours[row]!)).toBeLessThanOrEqual(1e-5);
      });
    },
    INSTALL_TIMEOUT_MS,
  );
});

/** Outputs [rows] of the exported file, as Python's onnxruntime computes them. */
async function inPython(rows: readonly (readonly (number | null)[])[]): Promise<number[]> {
  const child = spawn(await pythonWithOnnxruntime(), [SCRIPT, exported], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.end(JSON.stringify(rows));
  let out = '';
  child.stdout.on('data', (text: Buffer) => (out += text.toString()));
  const code = await new Promise((done) => child.once('close', done));
  expect(code).toBe(0);
  return z.array(z.number()).parse(JSON.parse(out));
}
