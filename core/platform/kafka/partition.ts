import { Partitioners } from 'kafkajs';

const partitioner = Partitioners.DefaultPartitioner();

/** The partition that a key goes to, as the producer and Java's client choose it (murmur2). */
export function partitionOf(key: string, partitions: number): number {
  return partitioner({
    topic: '',
    partitionMetadata: partitionList(partitions),
    message: { key, value: null },
  });
}

const lists = new Map<
  number,
  { partitionErrorCode: number; partitionId: number; leader: number; replicas: number[]; isr: number[] }[]
>();

function partitionList(count: number): NonNullable<ReturnType<typeof lists.get>> {
  const known = lists.get(count);
  if (known !== undefined) return known;
  const made = Array.from({ length: count }, (_, partitionId) => ({
    partitionErrorCode: 0,
    partitionId,
    leader: 0,
    replicas: [],
    isr: [],
  }));
  lists.set(count, made);
  return made;
}
