import { counted, percent, whole } from '../../shared/format';
import { errorSize, inUnit, signedError } from '../../shared/quantities';
import { draw, SMALL } from '../charts/draw';
import { deviceChart } from '../charts/device';
import { regimesChart } from '../charts/regimes';
import { reliabilityChart } from '../charts/reliability';
import { REGIMES, type ReportData } from '../data';
import { behind, columns, withUnit, picture, section, table } from '../figure';
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
export function regimesSection({ champion, regimes, target }: ReportData): Html {
  const rows = REGIMES.flatMap((regime) => regimes.rows.filter((row) => row.regime === regime));
  return section(
    'errors',
    'Which errors does it make?',
    html`Errors of ${champion} by what ${target.sensor} did in the window, and where an anomaly is known to
    have been there or not. Box: the middle half of the errors; whiskers: the middle 90 %; green: near enough
    to count as correct.`,
    picture(
      (layout) => regimesChart(rows, target, layout),
      `Errors of ${champion} by regime: ${rows.map(({ regime, accuracy }) => `${regime} ${percent(accuracy)} right`).join(', ')}`,
    ),
    behind(
      table(
        columns(
          'regime',
          'forecasts',
          'right',
          inUnit('bias', target),
          inUnit('MAE', target),
          '5 %',
          '25 %',
          'median',
          '75 %',
          '95 %',
        ),
        rows.map(({ regime, n, accuracy, bias, mae, p05, p25, p50, p75, p95 }) => [
          regime,
          whole(n),
          percent(accuracy),
          signedError(bias, target),
          errorSize(mae, target),
          ...[p05, p25, p50, p75, p95].map((value) => signedError(value, target)),
        ]),
      ),
      [regimes.sql],
    ),
  );
}

/** The devices with the lowest accuracy, with their series. */
export function devicesSection({ champion, worst, series, target, truth }: ReportData): Html {
  const cards = worst.rows.map(({ device_id, n, correct, mae, bias }) => {
    const rows = series.rows.filter((row) => row.device_id === device_id);
    const fault = truth?.faults.get(device_id);
    return html`<article class="device">
      <h3>${device_id}${fault === undefined ? null : html` <span class="badge fault">${fault}</span>`}</h3>
      <p>
        ${whole(correct)} of ${counted(n, 'forecast')} correct · mean error
        ${withUnit(errorSize(mae, target), target)} · bias ${withUnit(signedError(bias, target), target)}
      </p>
      ${draw(deviceChart(rows, target), SMALL, `${device_id}: measured means and forecasts of ${whole(rows.length)} windows`)}
    </article>`;
  });
  return section(
    'devices',
    'Which devices suffer?',
    html`The devices that ${champion} serves worst. Line: ${target.sensor} as the device measured it; band:
      near enough to count; dots: what had been forecast by the newest version measured then (<span
        class="dot good"
      ></span>
      correct,
      <span class="dot bad"></span>
      wrong).${truth === null ? '' : ' A label names the fault that the simulated fleet gave the device; neither models nor rounds know of it.'}`,
    html`<div class="devices">${cards}</div>`,
    behind(
      table(
        columns('device', 'forecasts', 'correct', 'accuracy', inUnit('MAE', target), inUnit('bias', target)),
        worst.rows.map(({ device_id, n, correct, accuracy, mae, bias }) => [
          device_id,
          whole(n),
          whole(correct),
          percent(accuracy),
          errorSize(mae, target),
          signedError(bias, target),
        ]),
      ),
      [worst.sql, series.sql],
    ),
  );
}
