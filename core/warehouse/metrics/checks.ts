import { z } from 'zod';
import { DRIFT_DETECTORS } from '../../contracts/live-checks';
import { type SerialConnection } from '../database/connection';
import { counter, gauge, type TableFigures } from './table-figures';

const FIGURES = {
  fedloop_champion_checks_total: counter('Checks of a champion between rounds, by action.', 'action'),
  fedloop_drift_alarms_total: counter(
    'Changes that drift detectors found in champions’ errors beside persistence; worse = the champion errs more than it did.',
    'detector',
    'change',
  ),
  fedloop_champion_drift: gauge(
    '1 where a detector found the change in the champion’s latest check, else 0.',
    'detector',
    'change',
  ),
};

const actionRow = z.object({ action: z.string(), checks: z.int() });
const alarmRow = z.object({ alarm: z.string(), alarms: z.int(), now: z.boolean() });

const ALARMS = `
  WITH champion AS (SELECT model_version FROM model_versions WHERE stage = 'champion' LIMIT 1),
       latest AS (SELECT model_version, max(window_until) AS window_until FROM champion_checks
                  WHERE model_version = (SELECT model_version FROM champion) GROUP BY model_version)
  SELECT alarm, count(*) AS alarms,
         bool_or((model_version, window_until) IN (SELECT (model_version, window_until) FROM latest)) AS now
  FROM (SELECT model_version, window_until, unnest(drift) AS alarm FROM champion_checks) GROUP BY alarm`;

/** Checks of the champion between rounds, and alarms of drift detection. */
export function checkFigures(figures: TableFigures, connection: SerialConnection): void {
  figures.read(FIGURES, async (put) => {
    const actions = await connection.rows(
      actionRow,
      'SELECT action, count(*) AS checks FROM champion_checks GROUP BY action',
    );
    const found = await connection.rows(alarmRow, ALARMS);
    for (const action of ['keep', 'rollback']) {
      const checks = actions.find((known) => known.action === action)?.checks ?? 0;
      put('fedloop_champion_checks_total', checks, action);
    }
    for (const detector of DRIFT_DETECTORS) {
      for (const change of ['worse', 'better']) {
        const alarm = found.find((known) => known.alarm === `${detector} ${change}`);
        put('fedloop_drift_alarms_total', alarm?.alarms ?? 0, detector, change);
        put('fedloop_champion_drift', alarm?.now === true ? 1 : 0, detector, change);
      }
    }
  });
}
