/** Where a broker of ours listens and keeps its log. */
interface BrokerPlace {
  readonly brokerPort: number;
  /** Where clients reach it, when that is another port. */
  readonly advertisedPort?: number | undefined;
  readonly controllerPort: number;
  readonly dataFolder: string;
}

/**
 * `server.properties` of a single node that is broker and controller at once, on loopback alone.
 * Backslashes are doubled because the file format takes them for escapes.
 */
export function kafkaProperties(place: BrokerPlace): string {
  const host = '127.0.0.1';
  const properties: Readonly<Record<string, string | number>> = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@${host}:${place.controllerPort}`,
    'controller.listener.names': 'CONTROLLER',
    listeners: `PLAINTEXT://${host}:${place.brokerPort},CONTROLLER://${host}:${place.controllerPort}`,
    'advertised.listeners': `PLAINTEXT://${host}:${place.advertisedPort ?? place.brokerPort}`,
    'log.dirs': place.dataFolder.replaceAll('\\', '\\\\'),
    // One node: nothing to copy to, and no reason for fifty partitions of bookkeeping.
    'offsets.topic.num.partitions': 1,
    'offsets.topic.replication.factor': 1,
    'transaction.state.log.num.partitions': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'share.coordinator.state.topic.num.partitions': 1,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    // A broker that was killed may come back when its session has ended: 9 s by default, of the 14 s that it was away.
    'broker.session.timeout.ms': 5_000,
    'broker.heartbeat.interval.ms': 1_000,
    // A worker that joins gets its partitions at once.
    'group.initial.rebalance.delay.ms': 0,
    // How long a silent worker keeps its partitions is the worker's own setting.
    'group.min.session.timeout.ms': 1_000,
    // A misspelt topic is an error, not a new topic.
    'auto.create.topics.enable': 'false',
    // Simulated time lies in the past or, with a fast fleet, ahead of the clock: records of any time are welcome…
    'log.message.timestamp.after.max.ms': '9223372036854775807',
    'log.message.timestamp.before.max.ms': '9223372036854775807',
    // …and none is deleted for its age.
    'log.retention.ms': -1,
    'log.retention.bytes': -1,
    // The cleaner's default buffer of 128 MB would be a quarter of the heap.
    'log.cleaner.dedupe.buffer.size': 16 * 1024 * 1024,
    // Sparse files that are mapped whole for every segment; events are indexed well enough with this.
    'log.index.size.max.bytes': 1024 * 1024,
  };
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}
