import { type DashboardSpec } from '../spec';
import { roundsRow } from './rounds';
import { broughtRow } from './brought';
import { evidenceRow } from './evidence';
import { localsRow } from './locals';
import { timeRow } from './time';

/** Result, evidence and time of each round. */
export const roundsDashboard: DashboardSpec = {
  uid: 'fedloop-rounds',
  file: 'round-by-round',
  title: 'Round by round',
  description:
    'What each federated round made, how its candidate did against the champion, and where the time went.',
  rows: [roundsRow, evidenceRow, broughtRow, localsRow, timeRow],
};
