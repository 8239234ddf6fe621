import { counted, percent, signed, whole } from '../../shared/format';
import { draw, SMALL } from '../charts/draw';
import { deviceChart } from '../charts/device';
import { regimesChart } from '../charts/regimes';
import { reliabilityChart } from '../charts/reliability';
import { REGIMES, type ReportData } from '../data';
import { behind, columns, picture, section, table } from '../figure';
import { html, type Html } from '../html';

/** Calibration of the champion's confidence. */
export function reliabilitySection({ champion, reliability }: ReportData): Html {
  const { rows } = reliability;
  const total = rows.reduce((sum, { n }) => sum + n, 0);
  const error =
    total === 0
      ? 0
      : rows.reduce((sum, { n, confidence, accuracy }) => sum + n * Math.abs(accuracy - confidence), 0) /
        total;
  return section(
    'reliability',
    'Does it know what it knows?',
    html`Every forecast states how sure it is. On the dashed line, forecasts that say 80 % are right 80 times
      in a hundred; above it ${champion} is too modest, below it too sure. The size of a dot is the number of
      forecasts. Expected calibration error: <b>${percent(error)}</b>.`,
    picture(
      (layout) => reliabilityChart(rows, layout),
      `Reliability of ${champion}: share that was right by stated confidence`,
    ),
    behind(
      table(
        columns('stated confidence', 'forecasts', 'mean confidence', 'right', 'share right'),
        rows.map(({ bin, n, correct, confidence, accuracy }) => [
          `${bin * 10} to ${bin * 10 + 10} %`,
          whole(n),
          percent(confidence),
          whole(correct),
          percent(accuracy),
        ]),
      ),
      [reliability.sql],
    ),
  );
}

/** The champion's errors by regime. */
export function regimesSection({ champion, regimes, settings }: ReportData): Html {
  const tolerance = settings.rows[0]?.tolerance_celsius ?? 1;
  const rows = REGIMES.flatMap((regime) => regimes.rows.filter((row) => row.regime === regime));
  return section(
    'errors',
    'Which errors does it make?',
    html`Errors of ${champion} by what the temperature did in the window, and where an anomaly is known to
    have been there or not. Box: the middle half of the errors; whiskers: the middle 90 %; green: near enough
    to count as correct.`,
    picture(
      (layout) => regimesChart(rows, tolerance, layout),
      `Errors of ${champion} by regime: ${rows.map(({ regime, accuracy }) => `${regime} ${percent(accuracy)} right`).join(', ')}`,
    ),
    behind(
      table(
        columns('regime', 'forecasts', 'right', 'bias °C', 'MAE °C', '5 %', '25 %', 'median', '75 %', '95 %'),
        rows.map(({ regime, n, accuracy, bias, mae, p05, p25, p50, p75, p95 }) => [
          regime,
          whole(n),
          percent(accuracy),
          signed(bias, 2),
          mae.toFixed(2),
          ...[p05, p25, p50, p75, p95].map((value) => signed(value, 2)),
        ]),
      ),
      [regimes.sql],
    ),
  );
}

/** The devices with the lowest accuracy, with their series. */
export function devicesSection({ champion, worst, series, settings, truth }: ReportData): Html {
  const tolerance = settings.rows[0]?.tolerance_celsius ?? 1;
  const cards = worst.rows.map(({ device_id, n, correct, mae, bias }) => {
    const rows = series.rows.filter((row) => row.device_id === device_id);
    const fault = truth?.faults.get(device_id);
    return html`<article class="device">
      <h3>${device_id}${fault === undefined ? null : html` <span class="badge fault">${fault}</span>`}</h3>
      <p>
        ${whole(correct)} of ${counted(n, 'forecast')} correct · mean error ${mae.toFixed(2)} °C · bias
        ${signed(bias, 2)} °C
      </p>
      ${draw(deviceChart(rows, tolerance), SMALL, `${device_id}: measured means and forecasts of ${whole(rows.length)} windows`)}
    </article>`;
  });
  return section(
    'devices',
    'Which devices suffer?',
    html`The devices that ${champion} serves worst. Line: what the device measured; band: near enough to
      count; dots: what had been forecast by the newest version measured then (<span class="dot good"></span>
      correct,
      <span class="dot bad"></span>
      wrong).${truth === null ? '' : ' A label names the fault that the simulated fleet gave the device; neither models nor rounds know of it.'}`,
    html`<div class="devices">${cards}</div>`,
    behind(
      table(
        columns('device', 'forecasts', 'correct', 'accuracy', 'MAE °C', 'bias °C'),
        worst.rows.map(({ device_id, n, correct, accuracy, mae, bias }) => [
          device_id,
          whole(n),
          whole(correct),
          percent(accuracy),
          mae.toFixed(2),
          signed(bias, 2),
        ]),
      ),
      [worst.sql, series.sql],
    ),
  );
}
