import { z } from 'zod';
import { DRIFT_DETECTORS } from '../../contracts/live-checks';
import { type SerialConnection } from '../database/connection';
import { type TableFigures } from './table-figures';

/** How the champion did when it was checked between rounds, and what drift detection said. */
export function checkFigures(figures: TableFigures, connection: SerialConnection): void {
  const checks = figures.counter(
    'fedloop_champion_checks_total',
    'Looks at a champion between rounds, by what they came to.',
    ['action'],
  );
  const alarms = figures.counter(
    'fedloop_drift_alarms_total',
    'Changes that drift detectors found in champions’ errors beside persistence; worse = the champion errs more than it did.',
    ['detector', 'change'],
  );
  const state = figures.gauge(
    'fedloop_champion_drift',
    '1 where a detector found the change in the champion’s latest check, else 0.',
    ['detector', 'change'],
  );
  figures.read(async () => {
    const actions = await connection.rows(
      actionRow,
      'SELECT action, count(*) AS checks FROM champion_checks GROUP BY action',
    );
    const found = await connection.rows(
      alarmRow,
      `WITH champion AS (SELECT model_version FROM model_versions WHERE stage = 'champion' LIMIT 1),
       latest AS (SELECT model_version, max(window_until) AS window_until FROM champion_checks
                  WHERE model_version = (SELECT model_version FROM champion) GROUP BY model_version)
       SELECT alarm, count(*) AS alarms,
              bool_or((model_version, window_until) IN (SELECT (model_version, window_until) FROM latest)) AS now
       FROM (SELECT model_version, window_until, unnest(drift) AS alarm FROM champion_checks) GROUP BY alarm`,
    );
    return () => {
      for (const action of ['keep', 'rollback'])
        checks.set({ action }, actions.find((known) => known.action === action)?.checks ?? 0);
      for (const detector of DRIFT_DETECTORS) {
        for (const change of ['worse', 'better']) {
          const alarm = found.find((known) => known.alarm === `${detector} ${change}`);
          alarms.set({ detector, change }, alarm?.alarms ?? 0);
          state.set({ detector, change }, alarm?.now === true ? 1 : 0);
        }
      }
    };
  });
}

const actionRow = z.object({ action: z.string(), checks: z.int() });
const alarmRow = z.object({ alarm: z.string(), alarms: z.int(), now: z.boolean() });
