import { defineSignal, getExternalWorkflowHandle, log, setHandler, workflowInfo } from '@temporalio/workflow';
import { roundReportSchema, type RoundReport, type RoundStep } from '../core/contracts/steps';

const roundSignal = defineSignal<[unknown]>('roundProgress');

/** Memo of a child that is to report to its parent; children of other workflows, and of earlier releases, have none. */
export const REPORTS_TO_PARENT = { reportsToParent: true };

/** Steps that a parent learns of: between them pass minutes or days. A report costs five events of a history. */
const REPORTED: ReadonlySet<RoundStep> = new Set(['waiting', 'train locals', 'evaluate', 'approve']);

/** What a round tells its parent, so that a schedule's run and a training show where their round is. */
export class ReportsToParent {
  private readonly parent: string | undefined;
  private step: RoundStep | null = null;
  private reported = newsOf(null);

  constructor() {
    const { memo, parent } = workflowInfo();
    if (memo?.['reportsToParent'] === true) this.parent = parent?.workflowId;
  }

  /**
   * Report, if it is news for a parent: another of the steps above, a pause, a wait, a question.
   * @param deadline until when a person is asked, milliseconds since 1970; null while nobody is
   */
  send(report: RoundReport, deadline: number | null): void {
    const { step, paused, waitsFor, decision } = report.progress;
    if (REPORTED.has(step)) this.step = step;
    const news = newsOf(this.step, paused, waitsFor !== null, deadline);
    if (decision !== null || news === this.reported) return;
    this.reported = news;
    this.sendOn(report);
  }

  /** Report what a child has found worth a report. */
  sendOn(report: RoundReport): void {
    if (this.parent === undefined) return;
    getExternalWorkflowHandle(this.parent)
      .signal(roundSignal, report)
      .catch((cause: unknown) => {
        // The parent has ended, or this round is being cancelled: nobody waits for reports.
        log.debug('the parent took no report', { cause });
      });
  }
}

/** What makes a report news: where it is equal, a parent knows already. */
function newsOf(
  step: RoundStep | null,
  paused: string | null = null,
  waits = false,
  deadline: number | null = null,
): string {
  return JSON.stringify([step, paused, waits, deadline]);
}

/** Hear what a child reports. What fits no schema is passed over: anybody may send a signal. */
export function hearReports(hear: (report: RoundReport) => void): void {
  setHandler(
    roundSignal,
    (raw) => {
      const { data } = roundReportSchema.safeParse(raw);
      if (data !== undefined) hear(data);
      else log.warn('a signal roundProgress that is no report was passed over');
    },
    { description: 'Where the round is; sent by the round itself.' },
  );
}
