import { fleetDashboard } from './fleet';
import { roundsDashboard } from './rounds';
import { type DashboardSpec } from './spec';
import { streamDashboard } from './stream';
import { warehouseDashboard } from './warehouse';
import { workersDashboard } from './workers';

/** The first one is the first look. */
export const DASHBOARDS: readonly DashboardSpec[] = [
  fleetDashboard,
  roundsDashboard,
  streamDashboard,
  warehouseDashboard,
  workersDashboard,
];
