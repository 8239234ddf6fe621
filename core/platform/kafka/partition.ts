import { Partitioners } from 'kafkajs';

const partitioner = Partitioners.DefaultPartitioner();

type PartitionMetadata = Parameters<typeof partitioner>[0]['partitionMetadata'];

/** By the number of partitions. The partitioner looks at nothing else. */
const known = new Map<number, PartitionMetadata>();

/** The partition that a key goes to, as the producer and Java's client choose it (murmur2). */
export function partitionOf(key: string, partitions: number): number {
  let partitionMetadata = known.get(partitions);
  if (partitionMetadata === undefined) {
    partitionMetadata = Array.from({ length: partitions }, (_, partitionId) => {
      return { partitionErrorCode: 0, partitionId, leader: 0, replicas: [], isr: [] };
    });
    known.set(partitions, partitionMetadata);
  }
  return partitioner({ topic: '', partitionMetadata, message: { key, value: null } });
}
