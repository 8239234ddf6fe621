import { z } from 'zod';
import { type SerialConnection } from '../database/connection';
import { ACCURACY_BANDS, DEVICE_WINDOWS, WORST_DEVICES } from '../limits';
import { type TableFigures } from './table-figures';

/**
 * How the champion treats single devices. A device's id is no label, there are too many of them: bands say how many devices
 * are served how well, ranks say how bad the worst are, and the view `champion_devices`, which both are made of, names them.
 */
export function deviceFigures(figures: TableFigures, connection: SerialConnection): void {
  const over = `over the champion's latest ${DEVICE_WINDOWS} complete windows`;
  const devices = figures.gauge(
    'fedloop_champion_devices',
    `Devices by their own accuracy ${over}; band = the percentages that it lies between.`,
    ['band'],
  );
  const accuracy = figures.gauge(
    'fedloop_champion_worst_device_accuracy_ratio',
    `Accuracy of the devices with the largest mean absolute error ${over}; rank 1 is the worst.`,
    ['rank'],
  );
  const mae = figures.gauge(
    'fedloop_champion_worst_device_mae_celsius',
    `Mean absolute error of the worst devices ${over}.`,
    ['rank'],
  );
  const bias = figures.gauge(
    'fedloop_champion_worst_device_bias_celsius',
    `Mean of forecast - actual of the worst devices ${over}.`,
    ['rank'],
  );
  figures.read(async () => {
    const bands = await connection.rows(bandRow, BANDS);
    const worst = await connection.rows(
      worstRow,
      `SELECT accuracy, mae, bias FROM champion_devices ORDER BY mae DESC, device_id LIMIT ${WORST_DEVICES}`,
    );
    return () => {
      for (let band = 0; bands.length > 0 && band < ACCURACY_BANDS; band += 1) {
        devices.set({ band: nameOf(band) }, bands.find((known) => known.band === band)?.devices ?? 0);
      }
      worst.forEach((device, index) => {
        const rank = { rank: String(index + 1) };
        accuracy.set(rank, device.accuracy);
        mae.set(rank, device.mae);
        bias.set(rank, device.bias);
      });
    };
  });
}

const bandRow = z.object({ band: z.int(), devices: z.int() });
const worstRow = z.object({ accuracy: z.number(), mae: z.number(), bias: z.number() });

const BANDS = `
  SELECT least(${ACCURACY_BANDS} - 1, floor(accuracy * ${ACCURACY_BANDS}))::INTEGER AS band, count(*) AS devices
  FROM champion_devices GROUP BY band`;

/** `00-20`, `20-40`, …: in percent, so that they sort as text. */
function nameOf(band: number): string {
  const edge = (index: number): string => String((100 * index) / ACCURACY_BANDS).padStart(2, '0');
  return `${edge(band)}-${edge(band + 1)}`;
}
