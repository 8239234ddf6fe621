import { fleetDashboard } from './fleet/dashboard';
import { roundsDashboard } from './rounds/dashboard';
import { type DashboardSpec } from './spec';
import { streamDashboard } from './stream';
import { warehouseDashboard } from './warehouse';
import { workersDashboard } from './workers';

/** In reading order. */
export const DASHBOARDS: readonly DashboardSpec[] = [
  fleetDashboard,
  roundsDashboard,
  streamDashboard,
  warehouseDashboard,
  workersDashboard,
];
