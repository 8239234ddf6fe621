import { Option } from 'commander';

/** Options that say which messages to look at. */
export function sampleOptions(): readonly Option[] {
  return [
    new Option(
      '--from <file>',
      'messages in a file, in all files of a folder, or - for standard input: JSON lines, one JSON array, or CSV; gzip or not',
    ),
    new Option('--topic <name>', 'messages of a Kafka topic, by its whole name (KAFKA_BROKERS)'),
  ];
}
