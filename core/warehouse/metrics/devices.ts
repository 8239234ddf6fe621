import { z } from 'zod';
import { type SerialConnection } from '../database/connection';
import { ACCURACY_BANDS, DEVICE_WINDOWS, WORST_DEVICES } from '../limits';
import { gauge, type TableFigures } from './table-figures';
import { storedTarget, unitLabel } from './task';

const OVER = `over the champion's latest ${DEVICE_WINDOWS} complete windows`;

const FIGURES = {
  fedloop_champion_devices: gauge(
    `Devices by their own accuracy ${OVER}; band = the percentages that it lies between.`,
    'band',
  ),
  fedloop_champion_worst_device_accuracy_ratio: gauge(
    `Accuracy of the devices with the largest mean absolute error ${OVER}; rank 1 is the worst.`,
    'rank',
  ),
  fedloop_champion_worst_device_mae: gauge(
    `Mean absolute error of the worst devices ${OVER}, in the target's unit.`,
    'rank',
    'unit',
  ),
  fedloop_champion_worst_device_bias: gauge(
    `Mean of forecast - actual of the worst devices ${OVER}, in the target's unit.`,
    'rank',
    'unit',
  ),
};

const SPLIT_FIGURES = {
  fedloop_split_devices: gauge(
    `Devices that sent to more than one partition of the topic of events, over the latest ${DEVICE_WINDOWS} windows; split_devices names them.`,
  ),
};

const countRow = z.object({ devices: z.int() });
const bandRow = z.object({ band: z.int(), devices: z.int() });
const worstRow = z.object({ accuracy: z.number(), mae: z.number(), bias: z.number() });

/**
 * Accuracy of the champion by device. Ids of devices are no labels, there are too many: bands count devices by their accuracy,
 * ranks give the figures of the worst ones. The view `champion_devices`, which both are read from, names them.
 */
export function deviceFigures(figures: TableFigures, connection: SerialConnection): void {
  figures.read(FIGURES, async (put) => {
    const bands = await connection.rows(
      bandRow,
      `SELECT least(${ACCURACY_BANDS} - 1, floor(accuracy * ${ACCURACY_BANDS}))::INTEGER AS band, count(*) AS devices
       FROM champion_devices GROUP BY band`,
    );
    const worst = await connection.rows(
      worstRow,
      `SELECT accuracy, mae, bias FROM champion_devices ORDER BY mae DESC, device_id LIMIT ${WORST_DEVICES}`,
    );
    for (let band = 0; bands.length > 0 && band < ACCURACY_BANDS; band += 1) {
      const devices = bands.find((known) => known.band === band)?.devices ?? 0;
      put('fedloop_champion_devices', devices, nameOf(band));
    }
    const unit = unitLabel(await storedTarget(connection));
    worst.forEach(({ accuracy, mae, bias }, index) => {
      const rank = String(index + 1);
      put('fedloop_champion_worst_device_accuracy_ratio', accuracy, rank);
      put('fedloop_champion_worst_device_mae', mae, rank, unit);
      put('fedloop_champion_worst_device_bias', bias, rank, unit);
    });
  });
}

/** A device in two partitions has rows of a part of its readings in each. */
export function splitDeviceFigures(figures: TableFigures, connection: SerialConnection): void {
  figures.read(SPLIT_FIGURES, async (put) => {
    const [found] = await connection.rows(countRow, 'SELECT count(*) AS devices FROM split_devices');
    put('fedloop_split_devices', found?.devices);
  });
}

/** `00-20`, `20-40`, …: in percent, so that they sort as text. */
function nameOf(band: number): string {
  const edge = (index: number): string => String((100 * index) / ACCURACY_BANDS).padStart(2, '0');
  return `${edge(band)}-${edge(band + 1)}`;
}
