/** Time-outs and sizes of the command line, each with its reason. */
export const LIMITS = {
  /**
   * For a process that hangs; one that fails ends, which is noticed at once. Usual are 6 s for Kafka's JVM, 2 s for Temporal and 5 s
   * for a worker, and twenty times that on two cores under heavy load.
   */
  kafkaReadyMillis: 180_000,
  temporalReadyMillis: 180_000,
  /** Of a server of ours, whose own default is a day: what went wrong at a weekend is still in the UI on Monday. A round's history takes 100 kB. */
  closedWorkflowsMillis: 7 * 24 * 60 * 60_000,
  prometheusReadyMillis: 180_000,
  workerReadyMillis: 300_000,
  /** An address that a user gave is wrong, or reachable at once. */
  externalConnectMillis: 5_000,
  /** All of the above in sequence on a busy machine, and the build of a Temporal server that a first start may need. */
  systemReadyMillis: 25 * 60_000,
  readyPollMillis: 100,
  /** The broker looks for sessions that have ended once in a while. */
  sessionsEndMillis: 5_000,

  /** Time a worker has to finish its batch and close its files. */
  workerGraceMillis: 15_000,
  /** Short, because after Ctrl-C a user waits; state survives a kill anyway. */
  interruptedGraceMillis: 4_000,
  serverGraceMillis: 5_000,
  /** Time that the supervisor gives to processes after the command's death. */
  supervisorGraceMillis: 5_000,

  /** Grace of the workers plus that of the servers; then the daemon is killed, and its supervisor ends the processes. */
  daemonGraceMillis: 30_000,

  /** Pause before the second start of a process that ended soon after its first one; it doubles with each failure. */
  restartMillis: 1_000,
  /** A full disk that was emptied, or a port that is free again, is noticed within so long. */
  longestRestartMillis: 30_000,
  /** A full disk under the state of a running system is noticed to be free again within so long. */
  stateAgainMillis: 5_000,
  /** A process that has worked for so long did not end for the way in which it was started. */
  steadyMillis: 5_000,

  /** The SDK's download is aborted when no byte has come for so long. */
  downloadSilenceMillis: 20_000,
  /** Age at which the lock of a killed command is taken over. */
  lockStaleMillis: 20_000,
  /** Building Temporal's server from scratch takes about 5 minutes on 2 cores. */
  lockWaitMillis: 20 * 60_000,
  lockPollMillis: 250,

  /** Another process may take a free port between our check and the server's start. */
  portAttempts: 3,
  /** Lines of a log that a failure shows with --verbose: enough for a stack. */
  tailLines: 40,
  /** Read from the end of a log for that tail, and for what the machine lacked: a server that ends logs a stack for each of its threads. */
  tailBytes: 65_536,

  /** Work shorter than this shows no progress. */
  quietMillis: 2_000,
  /** Interval for polling a workflow's progress: short enough to look live, long enough to cost nothing. */
  progressPollMillis: 500,
  /** A wait for a workflow outlasts a restart of Temporal; a server that is away for longer was stopped. */
  temporalAwayMillis: 120_000,
  /** A dashboard's query. Prometheus' own time-out of two minutes is too long for a page. */
  prometheusQueryMillis: 30_000,
  /** Time range of the preview by default: as in Grafana. */
  previewSeconds: 3_600,
  /** Points of a line in the preview: one every few pixels. */
  previewPoints: 240,
  /** Interval of `watch`: a window lasts 30 s of event time, and a fast fleet sends one in a second or two. */
  watchMillis: 2_000,
  /** A round that begins too early fails within a second or two; one that is not seen to fail by then has begun. */
  earlyFailureMillis: 5_000,
  /** Time for each program that `status` queries; one that hangs is left out. On a busy machine the tables take four seconds. */
  statusMillis: 10_000,
  /** A query to a running system. */
  queryMillis: 60_000,
  /** Rounds of a report by default: a readable page. */
  reportRounds: 12,
} as const;
