import { sleep } from '@temporalio/workflow';
import {
  fleetReadiness,
  whatRoundNeeds,
  type FleetReadiness,
  type ReadinessSettings,
} from '../core/contracts/readiness';
import { MICROS_PER_MILLI } from '../core/contracts/time';
import {
  MAX_PAUSE_OF_MISSING,
  MAX_READINESS_PAUSE_MS,
  MIN_READINESS_PAUSE_MS,
  READINESS_LOOKS_A_WINDOW,
  READINESS_LOOKS_BEFORE_SLOWER,
} from './limits';
import { isLong } from './long-histories';
import { type RoundControl } from './round-control';
import { type RoundSteps } from './steps';

/**
 * Wait until the fleet has windows enough for a round; the query `progress` says what is missing. Before anything else happens in a round,
 * so that it can continue as new.
 * @param continueAsNew called when the history has become long; never returns
 */
export async function waitUntilReady(
  control: RoundControl,
  sites: RoundSteps['sites'],
  continueAsNew: () => Promise<never>,
): Promise<void> {
  let windows = -1;
  let looks = 0;
  for (;;) {
    const { training, minUpdates } = control.settings;
    const reports = await Promise.all(
      sites.map((site) => site.siteReadiness({ trainingWindows: training.windows })),
    );
    const settings = reports[0]?.settings;
    if (settings === undefined) return;
    const readiness = fleetReadiness(
      reports.map((report) => report.readiness),
      settings.task,
      minUpdates,
    );
    const waitsFor = whatRoundNeeds(readiness, settings, Date.now() * MICROS_PER_MILLI);
    control.report({ waitsFor });
    if (waitsFor === null) return;
    control.requireTime();
    if (isLong()) return continueAsNew();
    looks = readiness.windows === windows ? looks + 1 : 0;
    windows = readiness.windows;
    await sleep(pauseAfter(looks, readiness, settings), { summary: waitsFor });
  }
}

/** Milliseconds to the next look after so many without a new window. */
function pauseAfter(
  looks: number,
  { windows, windowsNeeded }: FleetReadiness,
  { task: { windowMicros } }: ReadinessSettings,
): number {
  const windowMillis = windowMicros / MICROS_PER_MILLI;
  const usual = Math.max(MIN_READINESS_PAUSE_MS, windowMillis / READINESS_LOOKS_A_WINDOW);
  const slower = 2 ** Math.max(0, looks - READINESS_LOOKS_BEFORE_SLOWER);
  const missing = windowsNeeded - windows;
  const most = missing > 0 ? MAX_PAUSE_OF_MISSING * missing * windowMillis : MAX_READINESS_PAUSE_MS;
  return Math.max(usual, Math.min(usual * slower, most, MAX_READINESS_PAUSE_MS));
}
