import { MIN_PANEL_DEVICES, SILENT_WINDOWS } from '../../contracts/readiness';
import { FORMER_SENTINEL_VALUE, NEEDED_LAGS, type ReadingFault } from '../../contracts/task';
import { TOPICS } from '../../contracts/topics';
import { DEVICE_STATE_WINDOWS, DEVICE_WINDOWS, LATE_EVENTS_SEARCHED } from '../limits';
import { servedSumsOf, STORED_TOLERANCE, sumsOf } from './sums';

/**
 * The tables, as a list of migrations. A released one is never edited: a change is a new one.
 * All timestamps are UTC with microseconds. Rows of the stream have no key in the database: the marks of the sink keep them
 * unique, and an index would cost more than storing them.
 */
export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly sql: string;
}

const STREAM_TABLES = `
CREATE TABLE stream_analysis_results (
  device_id VARCHAR NOT NULL,
  window_start TIMESTAMP NOT NULL,
  window_end TIMESTAMP NOT NULL,
  count INTEGER NOT NULL,
  avg DOUBLE NOT NULL,
  min DOUBLE NOT NULL,
  max DOUBLE NOT NULL,
  stddev DOUBLE NOT NULL,
  max_abs_z DOUBLE NOT NULL,
  outliers INTEGER NOT NULL,
  is_anomaly BOOLEAN NOT NULL,
  confidence DOUBLE NOT NULL,
  humidity_avg DOUBLE,
  pressure_avg DOUBLE,
  actual_anomaly BOOLEAN,
  source_partition INTEGER NOT NULL,
  epoch BIGINT NOT NULL
);
CREATE TABLE evaluation_rows (
  model_version VARCHAR NOT NULL,
  device_id VARCHAR NOT NULL,
  window_start TIMESTAMP NOT NULL,
  window_end TIMESTAMP NOT NULL,
  prediction_result DOUBLE NOT NULL,
  actual_result DOUBLE NOT NULL,
  error DOUBLE NOT NULL,
  loss DOUBLE NOT NULL,
  is_correct BOOLEAN NOT NULL,
  confidence DOUBLE NOT NULL,
  persistence_error DOUBLE NOT NULL,
  predicted_anomaly BOOLEAN,
  actual_anomaly BOOLEAN,
  regime VARCHAR NOT NULL,
  evaluation_timestamp TIMESTAMP NOT NULL,
  source_partition INTEGER NOT NULL,
  epoch BIGINT NOT NULL
);
CREATE TABLE evaluation_rollups (
  model_version VARCHAR NOT NULL,
  window_start TIMESTAMP NOT NULL,
  evaluations BIGINT NOT NULL,
  correct BIGINT NOT NULL,
  sum_error DOUBLE NOT NULL,
  sum_absolute_error DOUBLE NOT NULL,
  sum_squared_error DOUBLE NOT NULL,
  sum_persistence_absolute_error DOUBLE NOT NULL,
  persistence_correct BIGINT NOT NULL,
  sum_confidence DOUBLE NOT NULL
);
CREATE TABLE sink_marks (
  topic VARCHAR NOT NULL,
  source_partition INTEGER NOT NULL,
  next_offset BIGINT NOT NULL,
  epoch BIGINT,
  window_start TIMESTAMP,
  ordinal INTEGER,
  last BOOLEAN,
  PRIMARY KEY (topic, source_partition)
);
CREATE TABLE stream_claims (source_partition INTEGER PRIMARY KEY, epoch BIGINT NOT NULL, worker VARCHAR NOT NULL);
CREATE TABLE stream_activations (
  model_version VARCHAR NOT NULL,
  source_partition INTEGER NOT NULL,
  epoch BIGINT NOT NULL,
  from_window TIMESTAMP,
  until_window TIMESTAMP,
  PRIMARY KEY (model_version, source_partition)
);
CREATE TABLE stream_settings (
  window_micros BIGINT NOT NULL,
  watermark_micros BIGINT NOT NULL,
  future_micros BIGINT NOT NULL,
  tolerance_celsius DOUBLE NOT NULL,
  idle_millis BIGINT NOT NULL
);
CREATE TABLE rejected_rows (
  source VARCHAR NOT NULL,
  reason VARCHAR NOT NULL,
  detail VARCHAR,
  source_partition INTEGER,
  source_offset BIGINT,
  file VARCHAR,
  line BIGINT,
  raw VARCHAR,
  rejected_at TIMESTAMP
);
CREATE TABLE devices (device_id VARCHAR PRIMARY KEY, series VARCHAR, slot VARCHAR);
`;

const MODEL_TABLES = `
CREATE TABLE model_versions (
  model_version VARCHAR PRIMARY KEY,
  round INTEGER,
  role VARCHAR,
  strategy VARCHAR,
  parents VARCHAR[],
  seed BIGINT,
  devices INTEGER,
  data_from TIMESTAMP,
  data_until TIMESTAMP,
  feedback_used JSON,
  sha256 VARCHAR,
  created_at TIMESTAMP,
  stage VARCHAR,
  stage_reason VARCHAR,
  stage_at TIMESTAMP
);
CREATE TABLE model_files (model_version VARCHAR PRIMARY KEY, sha256 VARCHAR NOT NULL, onnx BLOB NOT NULL);
CREATE TABLE model_stages (
  log_offset BIGINT PRIMARY KEY,
  model_version VARCHAR NOT NULL,
  stage VARCHAR NOT NULL,
  round INTEGER NOT NULL,
  not_before TIMESTAMP,
  reason VARCHAR NOT NULL,
  staged_at TIMESTAMP NOT NULL
);
CREATE TABLE local_models (
  round INTEGER NOT NULL,
  attempt VARCHAR NOT NULL,
  device_id VARCHAR NOT NULL,
  site VARCHAR NOT NULL,
  base_version VARCHAR,
  model_version VARCHAR,
  training_rows INTEGER,
  self_reported_accuracy DOUBLE,
  self_reported_loss DOUBLE,
  base_loss DOUBLE,
  real_accuracy DOUBLE,
  weight DOUBLE,
  left_out VARCHAR,
  PRIMARY KEY (round, attempt, device_id)
);
CREATE TABLE federated_rounds (
  round INTEGER PRIMARY KEY,
  model_version VARCHAR NOT NULL,
  champion VARCHAR NOT NULL,
  decision VARCHAR NOT NULL,
  reason VARCHAR NOT NULL,
  strategy VARCHAR NOT NULL,
  role VARCHAR,
  windows INTEGER NOT NULL,
  window_from TIMESTAMP NOT NULL,
  window_until TIMESTAMP NOT NULL,
  evaluations BIGINT NOT NULL,
  accuracy DOUBLE NOT NULL,
  accuracy_low DOUBLE NOT NULL,
  accuracy_high DOUBLE NOT NULL,
  champion_accuracy DOUBLE NOT NULL,
  persistence_accuracy DOUBLE NOT NULL,
  paired_change DOUBLE NOT NULL,
  paired_change_low DOUBLE NOT NULL,
  paired_change_high DOUBLE NOT NULL,
  self_reported_accuracy DOUBLE,
  local_real_accuracy DOUBLE,
  updates_trained INTEGER NOT NULL,
  updates_used INTEGER NOT NULL,
  feedback_used JSON NOT NULL,
  result JSON NOT NULL
);
CREATE TABLE model_feedback (
  scope VARCHAR NOT NULL,
  round INTEGER,
  model_version VARCHAR NOT NULL,
  window_start TIMESTAMP NOT NULL,
  window_end TIMESTAMP NOT NULL,
  n BIGINT NOT NULL,
  n_correct BIGINT NOT NULL,
  accuracy DOUBLE NOT NULL,
  skill DOUBLE,
  mae DOUBLE NOT NULL,
  rmse DOUBLE NOT NULL,
  bias DOUBLE NOT NULL,
  calibration DOUBLE NOT NULL,
  persistence_accuracy DOUBLE NOT NULL,
  tendency VARCHAR NOT NULL,
  feedback JSON NOT NULL
);
`;

const BATCH_TABLES = `
CREATE TABLE batch_files (
  file VARCHAR PRIMARY KEY,
  size BIGINT NOT NULL,
  modified TIMESTAMP NOT NULL,
  sha256 VARCHAR NOT NULL,
  rows BIGINT NOT NULL,
  rejected BIGINT NOT NULL
);
CREATE TABLE batch_partials (
  file VARCHAR NOT NULL,
  device_id VARCHAR NOT NULL,
  day DATE NOT NULL,
  sensor VARCHAR NOT NULL,
  n BIGINT NOT NULL,
  mean DOUBLE NOT NULL,
  m2 DOUBLE NOT NULL,
  min DOUBLE NOT NULL,
  max DOUBLE NOT NULL
);
CREATE TABLE batch_analysis_results (
  device_id VARCHAR NOT NULL,
  day DATE NOT NULL,
  sensor VARCHAR NOT NULL,
  avg DOUBLE NOT NULL,
  min DOUBLE NOT NULL,
  max DOUBLE NOT NULL,
  stddev DOUBLE,
  count BIGINT NOT NULL
);
`;

/**
 * `version_windows` adds the sums of roll-ups to those of rows. A window has both where a partition that was idle delivered rows of it after
 * those of the other partitions had gone for their age.
 * @param tolerance SQL for the deployment's tolerance.
 */
function versionWindows(tolerance: string): string {
  return `
CREATE OR REPLACE VIEW version_windows AS
  SELECT model_version, window_start, sum(evaluations)::BIGINT AS evaluations, sum(correct)::BIGINT AS correct,
         sum(sum_error) AS sum_error, sum(sum_absolute_error) AS sum_absolute_error, sum(sum_squared_error) AS sum_squared_error,
         sum(sum_persistence_absolute_error) AS sum_persistence_absolute_error,
         sum(persistence_correct)::BIGINT AS persistence_correct, sum(sum_confidence) AS sum_confidence
  FROM (
    FROM evaluation_rollups
    UNION ALL BY NAME
    SELECT model_version, window_start, ${sumsOf(tolerance)}
    FROM evaluation_rows GROUP BY model_version, window_start
  ) GROUP BY model_version, window_start;
`;
}

/** The column's name while every target was a temperature. */
const FORMER_TOLERANCE = '(SELECT tolerance_celsius FROM stream_settings)';

/** `model_evaluations` is for people: each row with the version's real accuracy up to and including its window. */
const VIEWS = `${versionWindows(FORMER_TOLERANCE)}
CREATE VIEW accuracy_by_window AS
  SELECT model_version, window_start, evaluations, correct, correct / evaluations AS window_accuracy,
         sum(correct) OVER so_far / sum(evaluations) OVER so_far AS model_accuracy
  FROM version_windows
  WINDOW so_far AS (PARTITION BY model_version ORDER BY window_start);
CREATE VIEW model_evaluations AS
  SELECT rows.model_version, rows.device_id, rows.window_start, rows.window_end, rows.prediction_result, rows.actual_result,
         rows.error, rows.loss, rows.is_correct, rows.confidence, up_to.model_accuracy, rows.persistence_error,
         rows.predicted_anomaly, rows.actual_anomaly, rows.regime, rows.evaluation_timestamp
  FROM evaluation_rows AS rows
  JOIN accuracy_by_window AS up_to ON up_to.model_version = rows.model_version AND up_to.window_start = rows.window_start;
CREATE VIEW model_scoreboard AS
  SELECT windows.model_version, any_value(versions.stage) AS stage, any_value(versions.round) AS round,
         any_value(versions.role) AS role, any_value(versions.strategy) AS strategy,
         count(*) AS windows, sum(evaluations)::BIGINT AS evaluations, sum(correct)::BIGINT AS correct,
         sum(correct) / sum(evaluations) AS accuracy,
         sum(persistence_correct) / sum(evaluations) AS persistence_accuracy,
         sum(sum_error) / sum(evaluations) AS bias,
         sum(sum_absolute_error) / sum(evaluations) AS mae,
         sqrt(sum(sum_squared_error) / sum(evaluations)) AS rmse,
         1 - sum(sum_absolute_error) / nullif(sum(sum_persistence_absolute_error), 0) AS skill,
         min(windows.window_start) AS first_window, max(windows.window_start) AS last_window
  FROM version_windows AS windows LEFT JOIN model_versions AS versions USING (model_version)
  GROUP BY windows.model_version;
`;

/** Champions between rounds: checks on the live stream, rollbacks, and who changed a stage. */
const CHAMPION_TABLES = `
ALTER TABLE model_stages ADD COLUMN changed_by VARCHAR DEFAULT 'fedloop';
ALTER TABLE federated_rounds ADD COLUMN rolled_back_at TIMESTAMP;
ALTER TABLE federated_rounds ADD COLUMN rollback_reason VARCHAR;
CREATE TABLE champion_checks (
  model_version VARCHAR NOT NULL,
  predecessor VARCHAR,
  windows INTEGER NOT NULL,
  window_from TIMESTAMP NOT NULL,
  window_until TIMESTAMP NOT NULL,
  accuracy DOUBLE NOT NULL,
  persistence_accuracy DOUBLE NOT NULL,
  predecessor_accuracy DOUBLE,
  change DOUBLE,
  change_low DOUBLE,
  change_high DOUBLE,
  persistence_change DOUBLE NOT NULL,
  persistence_change_low DOUBLE NOT NULL,
  persistence_change_high DOUBLE NOT NULL,
  action VARCHAR NOT NULL,
  reason VARCHAR NOT NULL,
  drift VARCHAR[] NOT NULL,
  result JSON NOT NULL,
  PRIMARY KEY (model_version, window_until)
);
CREATE TABLE rollback_feedback (log_offset BIGINT PRIMARY KEY);
`;

/** Devices that a version was made of, and updates that were left out. */
const LINEAGE_TABLES = `
ALTER TABLE model_versions ADD COLUMN devices_sha256 VARCHAR;
CREATE TABLE left_out_updates (
  round INTEGER NOT NULL,
  attempt VARCHAR NOT NULL,
  device_id VARCHAR NOT NULL,
  site VARCHAR NOT NULL,
  reason VARCHAR NOT NULL,
  copies INTEGER NOT NULL,
  PRIMARY KEY (round, attempt, device_id, site, reason)
);
CREATE VIEW self_reports AS
  SELECT round, count(*) AS locals, avg(self_reported_accuracy) AS self_reported_accuracy, avg(real_accuracy) AS real_accuracy,
         avg(self_reported_accuracy - real_accuracy) AS gap
  FROM local_models
  WHERE model_version IS NOT NULL AND self_reported_accuracy IS NOT NULL AND real_accuracy IS NOT NULL
  GROUP BY round;
`;

/** The feedback's windows are few, so they are found first; rows of other times are then not read. */
const CHAMPION_DEVICES = `
CREATE VIEW champion_devices AS
  WITH champion AS (SELECT model_version FROM model_versions WHERE stage = 'champion' LIMIT 1),
  windows AS (
    SELECT DISTINCT window_start FROM model_feedback
    WHERE scope = 'window' AND model_version = (SELECT model_version FROM champion)
    ORDER BY window_start DESC LIMIT ${DEVICE_WINDOWS}
  )
  SELECT device_id, any_value(model_version) AS model_version, count(*) AS windows,
         count(*) FILTER (WHERE is_correct) / count(*) AS accuracy, avg(abs(error)) AS mae, avg(error) AS bias
  FROM evaluation_rows
  WHERE model_version = (SELECT model_version FROM champion)
    AND window_start BETWEEN (SELECT min(window_start) FROM windows) AND (SELECT max(window_start) FROM windows)
  GROUP BY device_id;
`;

/**
 * Devices that lately had rows of more than one partition: a device has to lie in one, or each of its rows is made of a part of its readings.
 * The marks of the sink tell where the latest windows are, so that older rows are not read.
 */
const SPLIT_DEVICES = `
CREATE VIEW split_devices AS
  WITH recent AS (
    SELECT source_partition, window_start - to_microseconds(${DEVICE_WINDOWS} * (SELECT window_micros FROM stream_settings LIMIT 1)) AS since
    FROM sink_marks WHERE topic = '${TOPICS.analysis.name}' AND window_start IS NOT NULL
  )
  SELECT device_id, list_sort(list(DISTINCT source_partition)) AS partitions, min(window_start) AS first_window,
         max(window_start) AS last_window, sum(count)::BIGINT AS readings
  FROM stream_analysis_results JOIN recent USING (source_partition)
  WHERE window_start > since AND window_start > (SELECT min(since) FROM recent)
  GROUP BY device_id HAVING count(DISTINCT source_partition) > 1;
`;

/**
 * What each device does, and why one is never forecast. The rules are those of the sites (core/federation/training/quorum.ts), on the windows that the
 * tables have: `silent`, `too sparse` (fewer than five sixths of the lags, which the last windows never reach), `new` (too few windows yet),
 * `only late` (every event came behind the watermark), else `forecast`. A window in which the target's last reading holds counts for the lags,
 * and a device whose reading still holds is not silent. The newest window is that of the fleet without a few clocks that are ahead; rows count
 * that are recent for the middle one of the partitions, so that no clock far ahead hides the fleet.
 */
const DEVICE_STATES = `
CREATE OR REPLACE VIEW device_states AS
  WITH agreed AS (
    SELECT window_micros, coalesce((task->>'$.lags')::INTEGER, 24) AS lags,
           ceil(coalesce((task->>'$.lags')::INTEGER, 24) * ${NEEDED_LAGS.are} / ${NEEDED_LAGS.of}.0)::INTEGER AS min_lags,
           least(coalesce((task->>'$.target.holdMicros')::BIGINT, 0) // window_micros,
                 coalesce((task->>'$.lags')::INTEGER, 24))::INTEGER AS held
    FROM stream_settings LIMIT 1
  ),
  rows AS (
    SELECT device_id, window_start, count FROM stream_analysis_results, agreed
    WHERE window_start > coalesce((SELECT quantile_disc(window_start, 0.5) FROM sink_marks WHERE topic = '${TOPICS.analysis.name}'),
                                  (SELECT max(window_start) FROM stream_analysis_results))
                         - to_microseconds(${DEVICE_STATE_WINDOWS} * window_micros)
  ),
  seen AS (
    SELECT device_id, min(window_start) AS first_window, max(window_start) AS last_window FROM rows GROUP BY device_id
  ),
  fleet AS (
    SELECT list_reverse_sort(list(last_window))[least(count(*), greatest(${MIN_PANEL_DEVICES + 1}, ceil(count(*) / 100.0)))::INTEGER] AS newest
    FROM seen
  ),
  recent AS (
    SELECT device_id, count(DISTINCT window_start) AS windows, sum(count)::BIGINT AS readings, min(window_start) AS since
    FROM rows JOIN seen USING (device_id), agreed
    WHERE window_start > last_window - to_microseconds(lags * window_micros)
    GROUP BY device_id
  ),
  held_until AS (
    SELECT device_id, last_window, window_start,
           least(window_start + to_microseconds(held * window_micros),
                 coalesce(lead(window_start) OVER (PARTITION BY device_id ORDER BY window_start) - to_microseconds(window_micros), window_start)) AS until
    FROM (SELECT DISTINCT device_id, window_start FROM rows) JOIN seen USING (device_id), agreed
    WHERE window_start > last_window - to_microseconds((lags + held) * window_micros)
  ),
  known AS (
    SELECT device_id, sum(greatest(0, (epoch_us(until) - epoch_us(greatest(
             window_start, last_window - to_microseconds((lags - 1) * window_micros)))) // window_micros + 1))::BIGINT AS known
    FROM held_until, agreed GROUP BY device_id
  ),
  forecast AS (
    SELECT DISTINCT device_id FROM evaluation_rows, fleet, agreed
    WHERE window_start > newest - to_microseconds(lags * window_micros)
  ),
  measured AS (
    SELECT device_id, first_window, last_window, windows, readings, known, held, window_micros / 1e6 AS window_seconds, lags, min_lags,
           (epoch_us(last_window) - epoch_us(since)) / window_micros + 1 AS span,
           (epoch_us(newest) - epoch_us(last_window)) / window_micros AS windows_ago,
           (epoch_us(newest) - epoch_us(first_window)) / window_micros + 1 AS windows_since
    FROM seen JOIN recent USING (device_id) JOIN known USING (device_id), fleet, agreed
  ),
  states AS (
    SELECT *, span * window_seconds / readings AS seconds_between_readings, span * window_seconds / windows AS seconds_between_windows,
           CASE WHEN windows_ago > greatest(held, ${SILENT_WINDOWS} * span / windows) THEN 'silent'
                -- Its imported past may hold what its live windows lack.
                WHEN device_id IN (FROM forecast) THEN 'forecast'
                WHEN windows_since >= lags AND known < min_lags THEN 'too sparse'
                WHEN known < min_lags THEN 'new'
                ELSE 'forecast' END AS state
    FROM measured
  )
  SELECT device_id, state,
         CASE state WHEN 'silent' THEN 'no window since ' || strftime(last_window, '%Y-%m-%d %H:%M:%S')
                    WHEN 'too sparse' THEN format('has readings in {} of {} windows of {:.0f} s{}: it sends every {:.0f} s',
                                                   windows, lags, window_seconds,
                                                   CASE WHEN held > 0 THEN format(', and with held ones a mean in {}', known) ELSE '' END,
                                                   seconds_between_readings)
                    WHEN 'new' THEN format('has {} of the {} windows that a forecast needs', known, min_lags)
         END AS reason,
         first_window, last_window, windows AS recent_windows, seconds_between_readings, seconds_between_windows
  FROM states
  UNION ALL
  SELECT device_id, 'only late', format('all of its {} events came late', count(*)), NULL, NULL, 0, NULL, NULL
  FROM (
    SELECT json_extract_string(raw, '$.device_id') AS device_id FROM rejected_rows
    WHERE rowid > (SELECT max(rowid) - ${LATE_EVENTS_SEARCHED} FROM rejected_rows)
      AND source = 'stream' AND reason = 'late' AND json_valid(raw)
  )
  WHERE device_id IS NOT NULL AND device_id NOT IN (SELECT device_id FROM stream_analysis_results)
  GROUP BY device_id;
`;

/** The target of a fleet without a task of its own is no sensor called value. */
const RENAMED_SENTINEL = `
UPDATE rejected_rows SET detail = '${'sentinel-value' satisfies ReadingFault}'
WHERE source = 'stream' AND detail = '${FORMER_SENTINEL_VALUE}'
  AND 'value' IS DISTINCT FROM (SELECT task->>'$.target.sensor' FROM stream_settings LIMIT 1);
`;

/** Messages that could not be stored, each with its place and why. */
const DEAD_LETTERS = `
CREATE TABLE dead_letters (
  topic VARCHAR NOT NULL,
  source_partition INTEGER NOT NULL,
  source_offset BIGINT NOT NULL,
  reason VARCHAR NOT NULL,
  detail VARCHAR NOT NULL,
  raw VARCHAR NOT NULL,
  sent_at TIMESTAMP
);
`;

/** A round that is reset may train more than once: readers count one training a round, that of its latest version. */
const TRIES = `
ALTER TABLE model_versions ADD COLUMN training VARCHAR;
ALTER TABLE federated_rounds ADD COLUMN attempt VARCHAR;
CREATE VIEW round_local_models AS
  SELECT local_models.*
  FROM local_models
  LEFT JOIN (SELECT round, arg_max(training, created_at) AS training FROM model_versions GROUP BY round) AS made USING (round)
  WHERE model_version IS NOT NULL AND (made.training IS NULL OR local_models.attempt = made.training);
CREATE OR REPLACE VIEW self_reports AS
  SELECT round, count(*) AS locals, avg(self_reported_accuracy) AS self_reported_accuracy, avg(real_accuracy) AS real_accuracy,
         avg(self_reported_accuracy - real_accuracy) AS gap
  FROM round_local_models
  WHERE self_reported_accuracy IS NOT NULL AND real_accuracy IS NOT NULL
  GROUP BY round;
`;

/** Windows of results that a topic no longer had when it was read, by partition: those that start at the one and end at the other, or between. */
const LOST_WINDOWS = `
CREATE TABLE lost_windows (
  topic VARCHAR NOT NULL,
  source_partition INTEGER NOT NULL,
  from_window TIMESTAMP NOT NULL,
  until_window TIMESTAMP NOT NULL,
  noticed_at TIMESTAMP NOT NULL
);
`;

/** Refused events whose rejects a topic no longer had when it was read: by partition from one number up to another, which is not one of them. */
const LOST_REJECTS = `
CREATE TABLE lost_rejects (
  topic VARCHAR NOT NULL,
  source_partition INTEGER NOT NULL,
  from_number BIGINT NOT NULL,
  until_number BIGINT NOT NULL,
  noticed_at TIMESTAMP NOT NULL
);
ALTER TABLE sink_marks ADD COLUMN refused BIGINT;
`;

/** What topics let go before it was stored: of each partition from one offset up to another. */
const LOST_RECORDS = `
CREATE TABLE lost_records (
  topic VARCHAR NOT NULL,
  source_partition INTEGER NOT NULL,
  from_offset BIGINT NOT NULL,
  until_offset BIGINT NOT NULL,
  noticed_at TIMESTAMP NOT NULL
);
`;

const PRIVACY_BOOKINGS = `
CREATE TABLE privacy_bookings (
  draw VARCHAR PRIMARY KEY,
  round INTEGER NOT NULL,
  attempt VARCHAR NOT NULL,
  inverse_squares DOUBLE NOT NULL,
  clip_norm DOUBLE NOT NULL,
  next_clip_norm DOUBLE,
  delta DOUBLE NOT NULL,
  epsilon DOUBLE,
  booked_at TIMESTAMP NOT NULL
);
`;

const FLAGS = 'rows.predicted_anomaly, rows.actual_anomaly';
const BANDS = `rows.predicted_anomaly, rows.anomaly_kind, rows.anomaly_score, rows.band,
         rows.prediction_result - rows.band AS band_lower, rows.prediction_result + rows.band AS band_upper, rows.actual_anomaly`;

/** @param anomalies what each row says of them. */
function modelEvaluations(anomalies: string): string {
  return `CREATE OR REPLACE VIEW model_evaluations AS
  SELECT rows.model_version, rows.device_id, rows.window_start, rows.window_end, rows.prediction_result,
         coalesce(rows.served_result, rows.prediction_result) AS served_result, rows.actual_result,
         rows.error, rows.loss, rows.is_correct,
         CASE WHEN rows.served_result IS NULL THEN rows.is_correct
              ELSE abs(rows.served_result - rows.actual_result) <= ${STORED_TOLERANCE} END AS served_is_correct,
         rows.confidence, up_to.model_accuracy, rows.persistence_error,
         ${anomalies}, rows.regime, rows.evaluation_timestamp
  FROM evaluation_rows AS rows
  JOIN accuracy_by_window AS up_to ON up_to.model_version = rows.model_version AND up_to.window_start = rows.window_start;`;
}

/** Forecasts as served stand beside the version's own: in each row, and in what is counted of them. */
const SERVED_FORECASTS = `
ALTER TABLE evaluation_rows ADD COLUMN served_result DOUBLE;
ALTER TABLE evaluation_rollups ADD COLUMN corrected BIGINT;
ALTER TABLE evaluation_rollups ADD COLUMN served_correct BIGINT;
CREATE OR REPLACE VIEW version_windows AS
  SELECT model_version, window_start, sum(evaluations)::BIGINT AS evaluations, sum(correct)::BIGINT AS correct,
         sum(sum_error) AS sum_error, sum(sum_absolute_error) AS sum_absolute_error, sum(sum_squared_error) AS sum_squared_error,
         sum(sum_persistence_absolute_error) AS sum_persistence_absolute_error,
         sum(persistence_correct)::BIGINT AS persistence_correct, sum(sum_confidence) AS sum_confidence,
         sum(coalesce(corrected, 0))::BIGINT AS corrected, sum(coalesce(served_correct, correct))::BIGINT AS served_correct
  FROM (
    FROM evaluation_rollups
    UNION ALL BY NAME
    SELECT model_version, window_start, ${sumsOf(STORED_TOLERANCE)}, ${servedSumsOf(STORED_TOLERANCE)}
    FROM evaluation_rows GROUP BY model_version, window_start
  ) GROUP BY model_version, window_start;
${modelEvaluations(FLAGS)}
CREATE OR REPLACE VIEW model_scoreboard AS
  SELECT windows.model_version, any_value(versions.stage) AS stage, any_value(versions.round) AS round,
         any_value(versions.role) AS role, any_value(versions.strategy) AS strategy,
         count(*) AS windows, sum(evaluations)::BIGINT AS evaluations, sum(correct)::BIGINT AS correct,
         sum(correct) / sum(evaluations) AS accuracy,
         sum(served_correct) / sum(evaluations) AS served_accuracy,
         sum(corrected) / sum(evaluations) AS corrected_share,
         sum(persistence_correct) / sum(evaluations) AS persistence_accuracy,
         sum(sum_error) / sum(evaluations) AS bias,
         sum(sum_absolute_error) / sum(evaluations) AS mae,
         sqrt(sum(sum_squared_error) / sum(evaluations)) AS rmse,
         1 - sum(sum_absolute_error) / nullif(sum(sum_persistence_absolute_error), 0) AS skill,
         min(windows.window_start) AS first_window, max(windows.window_start) AS last_window
  FROM version_windows AS windows LEFT JOIN model_versions AS versions USING (model_version)
  GROUP BY windows.model_version;
`;

/** Those of a site have no device, which no key can hold. Readers count one training a round, as of `round_local_models`. */
const CONTRIBUTIONS = `
CREATE TABLE contribution_rows (
  round INTEGER NOT NULL,
  attempt VARCHAR NOT NULL,
  model_version VARCHAR NOT NULL,
  proposal VARCHAR NOT NULL,
  site VARCHAR NOT NULL,
  device_id VARCHAR NOT NULL,
  method VARCHAR NOT NULL,
  contribution DOUBLE,
  standard_error DOUBLE,
  soft_contribution DOUBLE,
  soft_standard_error DOUBLE,
  weight DOUBLE NOT NULL,
  training_rows INTEGER NOT NULL,
  PRIMARY KEY (round, attempt, site, device_id, method)
);
CREATE VIEW contributions AS
  SELECT round, model_version, proposal, site, nullif(device_id, '') AS device_id, method, contribution, standard_error,
         soft_contribution, soft_standard_error, weight, training_rows
  FROM contribution_rows
  LEFT JOIN (SELECT round, arg_max(training, created_at) AS training FROM model_versions GROUP BY round) AS made USING (round)
  WHERE made.training IS NULL OR contribution_rows.attempt = made.training;
`;

/** Bands around forecasts, and what a predicted anomaly looks like; NULL in rows of versions of earlier releases. */
const ANOMALIES = `
ALTER TABLE evaluation_rows ADD COLUMN band DOUBLE;
ALTER TABLE evaluation_rows ADD COLUMN anomaly_score DOUBLE;
ALTER TABLE evaluation_rows ADD COLUMN anomaly_kind VARCHAR;
${modelEvaluations(BANDS)}
`;

export const MIGRATIONS: readonly Migration[] = [
  { version: 1, name: 'the tables of the design', sql: STREAM_TABLES + MODEL_TABLES + BATCH_TABLES + VIEWS },
  { version: 2, name: 'champions between rounds', sql: CHAMPION_TABLES },
  {
    version: 3,
    name: 'up to where rows were let go for their age: one row, or none while all are there',
    sql: 'CREATE TABLE expired_rows (before TIMESTAMP NOT NULL);',
  },
  { version: 4, name: 'lineage by device, updates left out', sql: LINEAGE_TABLES },
  { version: 5, name: 'how the champion treats single devices', sql: CHAMPION_DEVICES },
  {
    version: 6,
    name: 'the task and the limits of the deployment; a covariate’s column is made when a sink first needs it',
    sql: `ALTER TABLE stream_settings ADD COLUMN task JSON;
          ALTER TABLE stream_settings ADD COLUMN limits JSON;`,
  },
  {
    version: 7,
    name: 'the tolerance is in the unit of the target, whatever that is',
    sql: `ALTER TABLE stream_settings RENAME COLUMN tolerance_celsius TO tolerance; ${versionWindows(STORED_TOLERANCE)}`,
  },
  { version: 9, name: 'devices that send to more than one partition', sql: SPLIT_DEVICES },
  { version: 10, name: 'what each device does, and why one is never forecast', sql: DEVICE_STATES },
  {
    version: 11,
    name: 'a number that means no reading is told from a field that is absent',
    sql: RENAMED_SENTINEL,
  },
  // The view as it is today, again: files that had an earlier form of it at step 10 get this one.
  { version: 12, name: 'a device whose last reading still holds is not silent', sql: DEVICE_STATES },
  { version: 13, name: 'messages that could not be stored', sql: DEAD_LETTERS },
  { version: 14, name: 'which try at a round made what', sql: TRIES },
  {
    version: 15,
    name: 'which file the identity is of, and which logs fill it',
    sql: `ALTER TABLE warehouse_identity ADD COLUMN file VARCHAR;
          ALTER TABLE warehouse_identity ADD COLUMN logs VARCHAR;`,
  },
  { version: 16, name: 'records that were gone before they were stored', sql: LOST_RECORDS },
  { version: 17, name: 'no clock far ahead hides the states of all other devices', sql: DEVICE_STATES },
  {
    version: 18,
    name: 'partitions whose clocks are ahead of the others',
    sql: 'CREATE TABLE ahead_partitions (source_partition INTEGER NOT NULL);',
  },
  // The view of step 7 as it is today, again: files that had its earlier form get this one.
  {
    version: 19,
    name: 'a window counts once where some of its rows came after others had gone',
    sql: versionWindows(STORED_TOLERANCE),
  },
  { version: 20, name: 'what rounds booked before they added noise', sql: PRIVACY_BOOKINGS },
  {
    version: 21,
    name: 'what the windows of a round showed',
    sql: 'ALTER TABLE federated_rounds ADD COLUMN finding VARCHAR;',
  },
  {
    version: 22,
    name: 'of which log records were lost',
    sql: "ALTER TABLE lost_records ADD COLUMN log_id VARCHAR DEFAULT '';",
  },
  {
    version: 23,
    name: 'in which log of a topic’s name the marks are',
    sql: 'CREATE TABLE sink_logs (topic VARCHAR PRIMARY KEY, log_id VARCHAR NOT NULL);',
  },
  { version: 24, name: 'forecasts as served', sql: SERVED_FORECASTS },
  { version: 25, name: 'windows of results that never came', sql: LOST_WINDOWS },
  {
    version: 26,
    name: 'the network that was elected beside a linear model',
    sql: 'ALTER TABLE model_versions ADD COLUMN network VARCHAR;',
  },
  { version: 27, name: 'rejects that never came', sql: LOST_REJECTS },
  { version: 28, name: 'what each site and device brought', sql: CONTRIBUTIONS },
  { version: 29, name: 'bands, and kinds of anomalies', sql: ANOMALIES },
];
