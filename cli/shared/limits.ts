/** Time-outs and sizes of the command line, each with its reason. */
export const LIMITS = {
  /**
   * A process that fails ends and is noticed at once; these are for one that hangs. Usual are 6 s for Kafka's JVM, 2 s for Temporal, 5 s for
   * a worker, and twenty times that where two cores have forty things to do.
   */
  kafkaReadyMillis: 180_000,
  temporalReadyMillis: 180_000,
  prometheusReadyMillis: 180_000,
  workerReadyMillis: 300_000,
  /** An address that somebody typed is wrong or reachable at once. */
  externalConnectMillis: 5_000,
  /** All of the above one after the other on a busy machine, and the building of a Temporal server that a first start may need. */
  systemReadyMillis: 25 * 60_000,
  readyPollMillis: 100,

  /** Time a worker has to finish its batch and close its files. */
  workerGraceMillis: 15_000,
  /** After Ctrl-C nobody wants to wait; state survives a kill anyway. */
  interruptedGraceMillis: 4_000,
  serverGraceMillis: 5_000,
  /** What the supervisor grants after the command's own death. */
  supervisorGraceMillis: 5_000,

  /** Workers and servers have their own graces one after the other; then the keeper is killed, and its supervisor takes over. */
  daemonGraceMillis: 30_000,

  /** The SDK's download is given up when no byte has come for so long. */
  downloadSilenceMillis: 20_000,
  /** The lock of an obtaining command that was killed is taken over after this. */
  lockStaleMillis: 20_000,
  /** Building Temporal's server from nothing takes about 5 minutes on 2 cores. */
  lockWaitMillis: 20 * 60_000,
  lockPollMillis: 250,

  /** Another process may take a free port between our look and the server's start. */
  portAttempts: 3,
  /** Lines of a log that a failure shows with --verbose: a stack fits in. */
  tailLines: 40,
  /** Read from the end of a log for that tail. */
  tailBytes: 16_384,

  /** What is over within this needs no words about how far it is. */
  quietMillis: 2_000,
  /** Progress of a workflow is asked for this often: fast enough to look live, slow enough to cost nothing. */
  progressPollMillis: 500,
  /** Whoever waits for a workflow outlasts a restart of Temporal; what is away for longer, somebody has stopped. */
  temporalAwayMillis: 120_000,
  /** A dashboard's query: Prometheus itself gives up after two minutes, and nobody wants to wait as long. */
  prometheusQueryMillis: 30_000,
  /** What the preview of a Prometheus shows unless it is told: as Grafana does. */
  previewSeconds: 3_600,
  /** Points of a line in the preview: one for every few pixels. */
  previewPoints: 240,
  /** Looks of `watch`: a window lasts 30 s of event time, and a fast fleet plays one in a second or two. */
  watchMillis: 2_000,
  /** Parts of `status` that other programs answer: what hangs is left out. */
  statusMillis: 5_000,
  /** A question to a running system. */
  queryMillis: 60_000,
  /** Rounds that fit on a page that somebody reads. */
  reportRounds: 12,
} as const;
