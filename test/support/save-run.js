'use strict';
/**
 * `npm run save:run -- [--of FOLDER]`: a small real run of the build in FOLDER, as an upgrade finds it: `saved-runs/<commit>.tar.br` is its run folder
 * (Kafka's log, Temporal's database, warehouse, processed files), `<commit>.json` what that release itself said of it, and
 * `<commit>.histories.br` its recorded histories of workflows.
 */
const { spawnSync } = require('node:child_process');
const { mkdtempSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join, resolve } = require('node:path');
const { parseArgs } = require('node:util');
const { brotliCompressSync, constants } = require('node:zlib');

/** The smallest fleet whose rounds have panels and whose four partitions all have devices. */
const DEVICES = '40';
const ROUNDS = 2;
const ROUND = JSON.stringify({ windows: 4, gate: { minWindows: 3 }, seed: 1 });
/** Asked of the release that is saved, and again of the one that reads its state. Sums of numbers are rounded: their order is free. */
const QUERIES = [
  `SELECT count(*)::INT AS n, sum(count)::INT AS readings, round(sum(avg), 6) AS avg, round(sum(stddev), 6) AS stddev,
     round(sum(humidity_avg), 6) AS humidity, count(*) FILTER (is_anomaly)::INT AS anomalies FROM stream_analysis_results`,
  `SELECT model_version, count(*)::INT AS n, round(sum(prediction_result), 6) AS predictions, round(sum(loss), 6) AS loss,
     round(sum(persistence_error), 6) AS persistence, count(*) FILTER (is_correct)::INT AS correct, round(max(model_accuracy), 6) AS accuracy
     FROM model_evaluations GROUP BY ALL ORDER BY ALL`,
  'SELECT reason, count(*)::INT AS n, sum(source_offset)::INT AS offsets FROM rejected_rows GROUP BY ALL ORDER BY ALL',
  'SELECT model_version, stage, round, role, strategy, devices, sha256, devices_sha256 FROM model_versions ORDER BY ALL',
  'SELECT log_offset::INT AS log_offset, model_version, stage, reason FROM model_stages ORDER BY ALL',
  `SELECT round, model_version, champion, decision, evaluations::INT AS evaluations, round(paired_change, 6) AS change FROM federated_rounds
     ORDER BY ALL`,
  `SELECT round, count(*)::INT AS n, round(sum(self_reported_accuracy), 6) AS said, round(sum(real_accuracy), 6) AS real FROM local_models
     GROUP BY ALL ORDER BY ALL`,
  'SELECT scope, model_version, count(*)::INT AS feedbacks, sum(n)::INT AS n FROM model_feedback GROUP BY ALL ORDER BY ALL',
  `SELECT sensor, count(*)::INT AS n, sum(count)::INT AS readings, round(sum(avg), 6) AS avg FROM batch_analysis_results
     GROUP BY ALL ORDER BY ALL`,
];

function run(program, words, cwd) {
  const { status, stdout, stderr } = spawnSync(program, words, { cwd, encoding: 'utf8' });
  if (status !== 0)
    throw new Error(`${program} ${words.join(' ')} ended with ${status}:\n${stdout}${stderr}`);
  return stdout;
}

/** Play the run. @returns what the release says of it */
function play(release, folder) {
  const fedloop = (...words) => run(process.execPath, [join(release, 'bin', 'fedloop.js'), ...words], folder);
  fedloop('up', '--fleet', '--devices', DEVICES);
  try {
    for (let round = 1; round <= ROUNDS; round += 1) fedloop('round', 'start', '--wait', '--input', ROUND);
    fedloop('batch');
    fedloop('verify');
  } finally {
    fedloop('down');
  }
  // At rest: until then a partition that has gone quiet may close further windows.
  const answers = QUERIES.map((sql) => ({ sql, rows: JSON.parse(fedloop('sql', sql, '--json')) }));
  return { devices: Number(DEVICES), answers };
}

/** One a line: recorded runs of every workflow on every path, as runs may be under way when a release is replaced. */
function histories(release) {
  const recorded = join(release, 'test', 'replay');
  const names = readdirSync(recorded).filter((name) => name.endsWith('.json'));
  return names
    .map((name) => JSON.stringify(JSON.parse(readFileSync(join(recorded, name), 'utf8'))))
    .join('\n');
}

const pack = (bytes) =>
  brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS } });

function main() {
  const { values } = parseArgs({ options: { of: { type: 'string', default: join(__dirname, '../..') } } });
  const release = resolve(values.of);
  const commit = run('git', ['rev-parse', '--short=7', 'HEAD'], release).trim();
  const committedAt = run('git', ['log', '-1', '--format=%cI'], release).trim();
  const folder = mkdtempSync(join(tmpdir(), 'fedloop-save-run-'));
  const target = join(__dirname, 'saved-runs');
  try {
    const said = play(release, folder);
    const [id] = readdirSync(join(folder, 'runs'));
    // Figures of Prometheus and logs are for people; no release reads them again.
    const words = [
      '--exclude=prometheus',
      '--exclude=logs',
      '--exclude=report.html',
      '-cf',
      'run.tar',
      'runs',
    ];
    run('tar', words, folder);
    mkdirSync(target, { recursive: true });
    const packed = pack(readFileSync(join(folder, 'run.tar')));
    writeFileSync(join(target, `${commit}.tar.br`), packed);
    writeFileSync(join(target, `${commit}.histories.br`), pack(histories(release)));
    writeFileSync(
      join(target, `${commit}.json`),
      `${JSON.stringify({ run: id, committedAt, ...said }, null, 1)}\n`,
    );
    console.log(`${join(target, commit)}.tar.br: ${(packed.length / 1_000).toFixed(0)} kB`);
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

main();
