import { sleep } from '@temporalio/workflow';
import { fleetReadiness, whatRoundNeeds } from '../core/contracts/readiness';
import { MICROS_PER_MILLI } from '../core/contracts/time';
import {
  MAX_READINESS_PAUSE_MS,
  MIN_READINESS_PAUSE_MS,
  READINESS_LOOKS_A_WINDOW,
  READINESS_LOOKS_BEFORE_SLOWER,
} from './limits';
import { type RoundControl } from './round-control';
import { type RoundSteps } from './steps';

/** Wait until the fleet has windows enough for a round; the query `progress` says what is missing. */
export async function waitUntilReady(control: RoundControl, sites: RoundSteps['sites']): Promise<void> {
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
    looks = readiness.windows === windows ? looks + 1 : 0;
    windows = readiness.windows;
    await sleep(pauseAfter(looks, settings.task.windowMicros / MICROS_PER_MILLI), { summary: waitsFor });
  }
}

/** Milliseconds to the next look after so many without a new window. */
function pauseAfter(looks: number, windowMillis: number): number {
  const usual = Math.max(MIN_READINESS_PAUSE_MS, windowMillis / READINESS_LOOKS_A_WINDOW);
  const slower = 2 ** Math.max(0, looks - READINESS_LOOKS_BEFORE_SLOWER);
  return Math.max(usual, Math.min(usual * slower, MAX_READINESS_PAUSE_MS));
}
