import { type ContinuousEvaluationInput, type EvaluationState } from '../core/contracts/evaluation';
import { FIRST_VERSION } from '../core/contracts/ids';
import { type CheckChampionInput } from '../core/contracts/live-checks';
import { partsFor } from '../core/contracts/rounds';
import { durationMillis } from '../core/contracts/settings';
import { type Micros } from '../core/contracts/time';
import { beginRefit, beginRound, beginWaitingRound } from './begin-under-lock';

/** The evaluation that asks. */
interface Host {
  settings(): ContinuousEvaluationInput;
  known(): EvaluationState;
  /** Add an event to the news, once. */
  report(what: string, changes?: Partial<EvaluationState>): void;
  update(changes: Partial<EvaluationState>): void;
}

/** Rounds and refits that the evaluation starts by itself: on drift, for the first version, between rounds. */
export class RoundsAskedFor {
  constructor(private readonly host: Host) {}

  async startOnDrift(reason: string): Promise<void> {
    const now = Date.now();
    const { roundAskedAt, roundsAskedFor } = this.host.known();
    const { driftPause, round } = this.host.settings();
    if (roundAskedAt !== null && now - roundAskedAt < durationMillis(driftPause)) {
      this.host.report(
        `drift: ${reason}; the last round that drift asked for began less than ${driftPause} ago`,
      );
      return;
    }
    const summary = 'a round that drift asked for';
    const begun =
      (await beginRound(round, summary)) ??
      (this.host.known().refitRuns === true ? await beginWaitingRound(round, summary) : null);
    if (begun !== null) {
      this.host.report(`drift: ${reason}; a round has begun`, {
        roundAskedAt: now,
        roundsAskedFor: roundsAskedFor + 1,
      });
    } else {
      this.host.report(`drift: ${reason}; a round is running already`);
    }
  }

  /** While no trained version serves: a round that waits for the fleet's windows, at most one every `driftPause`. */
  async startFirstRound(): Promise<void> {
    const { champion, hasTrained = false, firstRoundAt = null } = this.host.known();
    const { firstRound, driftPause, round } = this.host.settings();
    if (firstRound === 'off' || hasTrained) return;
    if (champion !== null && champion !== FIRST_VERSION) {
      this.host.update({ hasTrained: true });
      return;
    }
    const now = Date.now();
    if (firstRoundAt !== null && now - firstRoundAt < durationMillis(driftPause)) return;
    const waiting = { ...round, ifTooEarly: 'wait' } as const;
    if ((await beginRound(waiting, 'the first round')) === null) return;
    this.host.report('the first round has begun; it waits for the fleet’s windows', { firstRoundAt: now });
  }

  wantedRefit(): Pick<CheckChampionInput, 'refit'> {
    const { refitEveryWindows, round } = this.host.settings();
    const isPossible = partsFor(round.strategy, round.parts).refit && round.privacy === undefined;
    if (refitEveryWindows === 'off' || !isPossible) return {};
    return { refit: { everyWindows: refitEveryWindows, askedAt: this.host.known().refitAskedAt ?? null } };
  }

  /** @param age windows since the readings of the newest version @param until start of the last window */
  async startRefit(age: number, until: Micros): Promise<void> {
    const begun = await beginRefit(this.host.settings().round);
    // While a round runs it is not due: the round refits, too.
    if (begun === null) return;
    this.host.report(`a refit has begun: the newest version knows nothing of the last ${age} windows`, {
      refitAskedAt: until,
      refitRuns: true,
    });
    const ended = (): void => {
      this.host.update({ refitRuns: false });
    };
    begun.result().then(ended, ended);
  }
}
