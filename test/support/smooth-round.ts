import { Context } from '@temporalio/activity';
import { type AnalyticsActivities } from '../../activities/analytics';
import { type RoundsActivities } from '../../activities/rounds';
import { type SiteActivities } from '../../activities/site';
import { type StreamActivities } from '../../activities/stream';
import { type ChampionCheck } from '../../core/contracts/live-checks';
import { nothingMeasured } from '../../core/contracts/contribution';
import { FIRST_VERSION, siteNameSchema, versionIdSchema } from '../../core/contracts/ids';
import { type VersionScore } from '../../core/contracts/rounds';
import { DEFAULT_STREAM_SETTINGS } from '../../core/contracts/settings';
import { type EvaluateResult, type RoundPlan, type Selection } from '../../core/contracts/steps';

export type MockActivities = RoundsActivities & SiteActivities & AnalyticsActivities & StreamActivities;

export const SITE = siteNameSchema.parse('main');
export const CHAMPION = versionIdSchema.parse('v2');
export const CANDIDATE = versionIdSchema.parse('v3');

function scoreOf(version: RoundPlan['champion'], accuracy: number): VersionScore {
  return {
    version,
    evaluations: 300,
    correct: Math.round(300 * accuracy),
    accuracy,
    accuracyCi95: [accuracy - 0.02, accuracy + 0.02],
    bias: 0,
    mae: 0.6,
    skill: 0.3,
    persistenceAccuracy: 0.66,
  };
}

/** Result of the evaluation of a candidate. */
export function evaluationOf(
  decision: 'promoted' | 'rejected',
  reason = 'better than the champion',
): EvaluateResult {
  return {
    windows: { count: 6, from: 0, until: 150_000_000 },
    scores: [scoreOf(CHAMPION, 0.82), scoreOf(CANDIDATE, decision === 'promoted' ? 0.84 : 0.74)],
    pairedChange: { mean: decision === 'promoted' ? 0.02 : -0.08, low: -0.09, high: 0.03 },
    verdict: { decision, reason },
  };
}

const range = { site: SITE, last: 1, count: 2 };

/** How a round is shared out that finds a version in service, or a rounds worker of an earlier release. */
export const SELECTION: Selection = {
  quotas: [{ site: SITE, participants: 'all', panelDevices: 6 }],
  fleet: null,
  trainUntil: 0,
};

/** Activities of a round in which nothing goes wrong. */
export const smoothRound: MockActivities = {
  ask: () =>
    Promise.resolve({ round: 3, champion: CHAMPION, feedback: null, evidence: [], searchAttributes: true }),
  deployFirstVersion: () => Promise.resolve(FIRST_VERSION),
  select: ({ firstVersionSeed }) =>
    Promise.resolve({
      ...SELECTION,
      ...(firstVersionSeed === undefined ? {} : { champion: FIRST_VERSION }),
    }),
  aggregate: () =>
    Promise.resolve({
      proposals: ['steady', 'responsive'],
      trained: 42,
      used: 40,
      leftOut: { 'constant-data': 2 },
      selfReportedAccuracy: 0.9,
      localRealAccuracy: 0.8,
      selfReportGap: null,
      contributors: [],
      feedbackUsed: {},
      wantsPanels: true,
    }),
  refit: () => Promise.resolve(['responsive-refitted']),
  contribute: (_plan, _trainedTo, planned) => Promise.resolve(nothingMeasured(planned, 'no panel')),
  deploy: () =>
    Promise.resolve({
      elected: { version: CANDIDATE, role: 'steady' },
      candidates: [CANDIDATE, versionIdSchema.parse('v3-responsive')],
      feedbackUsed: {},
    }),
  proposeChampion: ({ parts }) =>
    Promise.resolve({ proposal: 'responsive', parts: { ...parts, steadyRefit: false, linear: false } }),
  deployRefit: () =>
    Promise.resolve({
      outcome: 'deployed',
      deployed: {
        elected: { version: CANDIDATE, role: 'responsive' },
        candidates: [CANDIDATE],
        feedbackUsed: { refit_of: CHAMPION },
      },
    }),
  decide: ({ evaluation }) => Promise.resolve(evaluation.verdict),
  withdraw: () => Promise.resolve(),
  waitForTurn: () => Promise.resolve(),
  tellRun: ({ update }) => Promise.resolve(update),
  namespaceFacts: () => Promise.resolve({ searchAttributes: true }),
  rollback: ({ version, reason }) =>
    Promise.resolve({ champion: CHAMPION, previous: version ?? CHAMPION, changed: true, reason }),
  promote: ({ version, reason }) =>
    Promise.resolve({ champion: version, previous: CHAMPION, changed: true, reason }),
  checkChampion: () => Promise.resolve({ outcome: 'nothing-to-judge', champion: CHAMPION }),
  describeSite: () => Promise.resolve({ site: SITE, devices: 60, latestWindow: 0 }),
  siteReadiness: () =>
    Promise.resolve({
      readiness: {
        devices: 60,
        silent: 0,
        tooSparse: 0,
        trainable: 60,
        rows: 600,
        windows: 32,
        latestWindow: 0,
      },
      settings: DEFAULT_STREAM_SETTINGS,
    }),
  trainLocals: () =>
    Promise.resolve({
      ...range,
      trained: 42,
      leftOut: { 'constant-data': 2 },
      seconds: 0.1,
      feedbackUsed: {},
    }),
  scoreLocals: () => Promise.resolve(range),
  sumPanels: () => Promise.resolve(['steady', 'responsive']),
  scoreProposals: (_, names) => Promise.resolve(names),
  evaluate: () => Promise.resolve(evaluationOf('promoted')),
  feedBack: () => Promise.resolve(),
  async evaluateStream() {
    const context = Context.current();
    const timer = setInterval(() => {
      context.heartbeat({ partitions: [] });
    }, 50);
    try {
      return await context.cancelled;
    } finally {
      clearInterval(timer);
    }
  },
  runBatch: () =>
    Promise.resolve({
      files: { counted: 2, unchanged: 0, removed: 0 },
      rows: 10,
      rejectedRows: 0,
      results: 4,
      seconds: 0.1,
    }),
};

const worse = { mean: -0.05, low: -0.07, high: -0.03 };
/** A check of the candidate as champion, its predecessor beside it. */
export function checkOf(verdict: ChampionCheck['verdict'], until = 90): ChampionCheck {
  return {
    champion: CANDIDATE,
    predecessor: CHAMPION,
    settings: { windows: 24, margin: 0.002, minWindows: 6, confidence: 0.99 },
    windows: { count: 6, from: 0, until },
    accuracy: 0.7,
    persistenceAccuracy: 0.66,
    predecessorAccuracy: 0.75,
    againstPredecessor: worse,
    againstPersistence: { mean: 0.04, low: 0.02, high: 0.06 },
    verdict,
    drift: [],
  };
}
