import { type VersionId } from '../../core/contracts/ids';
import { percent, whole } from '../shared/format';
import { type AnomalyCounts, type Results } from './summary-schema';

/** Heads of the figures of a version's anomalies, in the order of their cells. */
export const ANOMALY_HEADS = ['labelled', 'predicted', 'right', 'false', 'precision', 'recall'] as const;

/** What the heads mean. */
export const ANOMALY_LEGEND =
  'device-windows. labelled: by their events. right and false: predicted ones whose events have a label, by what it says.';

/** What each version predicted of anomalies beside what is labelled; versions that say nothing of it are left out. */
export function anomalyRows({
  firstVersion,
  rounds,
}: Results): readonly { readonly version: VersionId; readonly cells: readonly string[] }[] {
  return [...(firstVersion === null ? [] : [firstVersion]), ...rounds].flatMap(({ version, anomalies }) =>
    anomalies === null ? [] : [{ version, cells: cellsOf(anomalies) }],
  );
}

/** A share of nothing is left out. */
function cellsOf({ actual, found, falseAlarms, judged, predicted }: AnomalyCounts): readonly string[] {
  if (judged === 0) return ['', whole(predicted), '', '', '', ''];
  const known = found + falseAlarms;
  return [
    whole(actual),
    whole(predicted),
    whole(found),
    whole(falseAlarms),
    known === 0 ? '' : percent(found / known),
    actual === 0 ? '' : percent(found / actual),
  ];
}
