import { type DashboardSpec } from '../spec';
import { championRow } from './champion';
import { accuracyRow } from './accuracy';
import { anomaliesRow } from './anomalies';
import { errorsRow } from './errors';
import { devicesRow } from './devices';
import { loopRow } from './loop';

/** The first dashboard to look at: the champion, its accuracy, its errors, and the devices that have them. */
export const fleetDashboard: DashboardSpec = {
  uid: 'fedloop-fleet',
  file: 'fleet-and-accuracy',
  title: 'Fleet & accuracy',
  description:
    'Which version is live, its prequential (test-then-train) accuracy, and which errors it makes.',
  rows: [championRow, accuracyRow, errorsRow, anomaliesRow, devicesRow, loopRow],
};
