import { FIRST_ROUND_TARGETS } from '../contracts/readiness';

/**
 * The numbers of the loop, each with its reason. "Recipe" is the prototype that found it: 800 devices, nine scenarios, eight
 * seeds; none of them was chosen for one data set. Numbers that an input can change are defaults there: of a round (training, gate)
 * in core/contracts/rounds.ts, of live checks in core/contracts/live-checks.ts, of a strategy in its own file.
 * Errors and residuals are in units of the tolerance, so that 1 is the boundary between right and wrong.
 */

/**
 * Windows that a site remembers of each device: 336 targets (a fortnight of hours), the 25 means before the first, and room for windows
 * that arrive while a round still trains up to its fixed last one. A round with more targets than fit is refused.
 */
export const RING_WINDOWS = 400;

/**
 * A round's last window is the newest that this share of the devices that send has reached: one slow device in a hundred must not delay it.
 * Nor must one whose clock is ahead make the others look silent: as small a share may be ahead.
 */
export const REPORTING_SHARE = 0.99;

/** Devices in each panel (hold-out cohort): 100 are nearly as good, 25 halve the effect (recipe). */
export const PANEL_DEVICES = 250;
/** With a small fleet a panel is a tenth of it, so that seven tenths and more can train. */
export const PANEL_SHARE = 0.1;
/** Share of the clusters that panels may spread over while the rest has room for all participants: varied weather on both sides. */
export const PANEL_CLUSTER_SHARE = 0.5;

/** The freshest closed windows: what the responsive candidate follows. */
export const RECENT_WINDOWS = 6;
/** A day of hourly windows: what the steady candidate filters by. */
export const LONG_WINDOWS = 24;

/** Residuals beyond twice the tolerance pull no harder than that: a broken reading must not decide a step. */
export const RESIDUAL_CLIP = 2;

/**
 * A device with fewer targets than a fleet's first round has is left out: passes over a handful of readings learn their noise, and the
 * closed loop's candidates do not weigh by rows. Together the devices need `MIN_FLEET_ROWS`.
 */
export const MIN_TRAINING_ROWS = FIRST_ROUND_TARGETS;
/** Targets whose largest and smallest value lie closer than this (in tolerances) are a stuck sensor's. */
export const CONSTANT_SPREAD = 1e-6;

/**
 * Devices whose features spread this many times as much as most, or lie that many spreads off, do not make the first version's scaling: a sensor
 * in another unit (1.8 ×) does, one that jumps by 50 degrees does not.
 */
export const SCALING_OUTLIER = 5;
/** Of fewer devices or sites nobody can tell which one is unlike the others. */
export const MIN_PARTS_TO_COMPARE = 3;

/** No sample is forgotten: the floor under the boundary weights (recipe). */
export const BOUNDARY_FLOOR = 0.3;
/**
 * The band around the boundary is as wide as the champion typically errs in tolerances, measured live: that far its forecasts can be moved.
 * The recipe's champion erred by about 0.6 and its width was 0.6. Narrower than 0.3, a handful of samples would decide.
 */
export const MIN_BOUNDARY_WIDTH = 0.3;
/** The errors of a champion that errs by more than this do not show where effort pays. */
export const MAX_BOUNDARY_WIDTH = 1.5;

/** Updates are clipped to this many times the median norm: scaled attackers lose their scale, honest ones keep theirs. */
export const CLIP_TO_MEDIAN = 1.5;

/** The steady candidate drops local models whose real accuracy is more than 6 points under the median (recipe). */
export const STEADY_SLACK = 0.06;

/** Temperature of the responsive candidate's softmax: one point of accuracy is a factor e (recipe). */
export const SOFTMAX_TEMPERATURE = 0.01;

/**
 * Devices of a site whose sums refit output layers, drawn from all that share no cluster with panels B and C. 500 lie in nearly all clusters;
 * the 250 of panel A lie in a sixth of them, and a refit on those learns their weather (docs/closed-loop.md). More only cost time.
 */
export const REFIT_DEVICES = 500;
/**
 * Blocks of time into which a refit's windows are cut: 4 hours of a day, one of the freshest six. Neighbouring hours share their weather, so
 * that a block, and not a reading, counts as one observation. Four to eight blocks gave much the same gains (docs/closed-loop.md).
 */
export const REFIT_BLOCKS = 6;
/** Ridge of the refit, a sample: strong enough that six windows cannot bend the output layer far (recipe). */
export const REFIT_RIDGE = 0.03;
/** Freshest windows that the linear model is fitted to (recipe); half as many follow a faster clock sooner, and lose in a new season (docs/closed-loop.md). */
export const LINEAR_WINDOWS = 48;
/** Ridge of the linear model, a sample: it has a ninth of a network's output layer's freedom for the same samples, and scaled features. */
export const LINEAR_RIDGE = 0.003;
/** Passes of a site over its samples to find what is far off. */
export const LINEAR_PASSES = 2;
/** Features whose squared length is so many times a site's median count half: weather stays within, jumps of a broken sensor do not. */
export const LINEAR_LEVERAGE = 3;
/** No change pulls harder than one of so many tolerances. */
export const LINEAR_TARGET_CLIP = 6;
/** A device's activations count at most this many times as much as the median device's in the refit's matrix. */
export const LEVERAGE_TO_MEDIAN = 3;
/** A site whose activations count so many times as much as the median site's has other features, or makes them up: its sums are left out. */
export const UNLIKE_LEVERAGE = 10;
/** Sums that a site rounded otherwise than a bound was are not impossible for that: as a share of what is compared. */
export const SUM_ROUNDING = 1e-9;
/** Samples further off than this weigh ever less in the refit: 1/(1 + (e/1.5)⁴). */
export const REFIT_ROBUST_SCALE = 1.5;

/** A refit between rounds whose soft score on panel B is better by less is not worth the windows that judge it: a tenth of a point, which chance brings as often. */
export const MIN_REFIT_GAIN = 0.001;

/** The panel gate forgives what chance explains (2 standard errors) and a fifth of a point (recipe). */
export const PANEL_GATE_ERRORS = 2;
export const PANEL_GATE_MARGIN = 0.002;

/** Rounds that count as evidence between the two candidates: long enough to average weather, short enough to notice change. */
export const EVIDENCE_ROUNDS = 4;
/** One round is an anecdote. */
export const EVIDENCE_MIN_ROUNDS = 2;
/** Single rounds count at most twice the median |E|, so that one storm does not decide. */
export const EVIDENCE_WINSOR = 2;
/** Keeps the winsor bound above zero when every E is zero. */
export const EVIDENCE_WINSOR_FLOOR = 1e-4;
/** A tenth of a point added to the standard error: tiny gains are not evidence however steady they are. */
export const EVIDENCE_SLACK = 0.001;
/** The responsive candidate serves when mean/(standard error + slack) exceeds this (recipe). */
export const EVIDENCE_THRESHOLD = 1;

/**
 * How alike neighbouring windows are before a series has shown it, and how many windows that belief counts as much as: a day. Differences of two versions had a
 * first autocorrelation of .1 to .5 in the sample weather, on both clocks (docs/closed-loop.md), and six windows cannot tell.
 */
export const USUAL_AUTOCORRELATION = 0.5;
export const USUAL_AUTOCORRELATION_WINDOWS = 24;
/** Beyond this a series is a trend, and no length of it would be enough. */
export const MAX_AUTOCORRELATION = 0.9;
/** Fewer windows than this say nothing of how windows differ: no interval. */
export const MIN_INTERVAL_WINDOWS = 3;
/**
 * Mixture of the confidence sequence: effects of about one standard deviation of a window are looked for. It decides how soon, never how often
 * wrongly; ¼ to 1 gave much the same.
 */
export const EFFECT_PRECISION = 1;

/** Two-sided confidence of the accuracy intervals that a round reports. */
export const SCORE_CONFIDENCE = 0.95;

/** Multi-Krum compares every pair: beyond this many updates a round would take minutes. */
export const MAX_KRUM_UPDATES = 5_000;

/** q-FFL raises losses to negative powers: a loss of exactly 0 would be infinite. */
export const MIN_LOSS = 1e-10;

/** Local models that a round names for claiming more than their real accuracy: as many as a person reads. */
export const OVERCLAIMERS_NAMED = 5;

/** Sites that a proposal is made again without, one after the other; of more, each costs the round what the last one does, and shows less. */
export const MAX_EXACT_SITES = 12;
/** A strategy that compares all pairs may take minutes: no further site is left out once so much time has passed. */
export const MAX_EXACT_MILLIS = 20_000;
/** What one of three sites or more says of a contribution counts within so many median deviations of the median site: a liar cannot decide it. */
export const CONTRIBUTION_SPREAD = 3;
/** And within half a point, which chance explains; where most forecasts stay as right as they were, most sites say 0, and the others are no liars. */
export const MIN_CONTRIBUTION_SPREAD = 0.005;

/** Largest ε that is stated: beyond it a guarantee means nothing, and e^ε nears the end of double precision. */
export const MAX_EPSILON = 500;
/** Halvings of the range in which ε is sought: more than double precision can tell apart. */
export const EPSILON_BISECTIONS = 100;

/** The windows that a drift detector compares a new one with. */
export const DRIFT_BASELINE = {
  /** Before that nothing is found: a day of hours, of which mean and spread can be told. */
  firstWindows: 24,
  /** Older ones are of another season. */
  lastWindows: 480,
  /** One storm must not decide: so many standard deviations count at most. */
  largest: 3,
} as const;

/** Drift detector ADWIN, with River's defaults. */
export const ADWIN = {
  /** Probability of a false alarm at any one check. */
  delta: 0.002,
  valuesBetweenChecks: 32,
  /** Buckets of one size before the two oldest become one of twice the size. */
  maxBuckets: 5,
  /** Sub-windows shorter than this are not compared. */
  minWindowLength: 5,
  /** No check while the window has no more values than this. */
  gracePeriod: 10,
} as const;
/** Drift detector Page–Hinkley, with River's defaults. */
export const PAGE_HINKLEY = {
  /** Values before the first alarm is possible. */
  minValues: 30,
  /** δ: changes smaller than this are tolerated. */
  delta: 0.005,
  /** λ: the larger, the fewer false alarms and the later the true ones. */
  threshold: 50,
  /** α: forgetting of the cumulative sums. */
  alpha: 1 - 0.0001,
} as const;

/**
 * Both on a window's excess of errors, in long-run standard deviations. River's defaults are for thousands of values; a window is one. ADWIN's bounds hold for any
 * values and are wide: with this δ it raised no false alarm in 23,040 windows (`bench:gate`), and found two thirds of the worsenings that Page–Hinkley found.
 */
export const WINDOW_ADWIN = { ...ADWIN, delta: 0.3, valuesBetweenChecks: 8 } as const;
/**
 * Of independent normal values it alarms for the worse once in 5,000 (Siegmund 1985, "Sequential Analysis", formula 2.57). Windows of real fleets, whose mean and
 * spread are learned meanwhile, gave one alarm in 770 to 1,000.
 */
export const WINDOW_PAGE_HINKLEY = {
  ...PAGE_HINKLEY,
  minValues: 1,
  delta: 0.35,
  threshold: 9,
  alpha: 1,
  /** Of an excess over what was before. */
  knownMean: 0,
} as const;
