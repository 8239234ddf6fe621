import { z } from 'zod';
import { type NetworkShape } from '../../core/model/types';

/** One round's work: every device trains once from the same model, and the updates are averaged. */
export const workloadSchema = z.strictObject({
  devices: z.int().min(1),
  /** Training rows of each device. */
  rows: z.int().min(1),
  batchSize: z.int().min(1),
  epochs: z.int().min(1),
  learningRate: z.number().positive(),
  inputs: z.int().min(1),
  hidden: z.int().min(1),
  /** Measured runs, after one that warms up. */
  repeat: z.int().min(1),
  /** Threads; 0 = one a core. */
  threads: z.int().min(0),
  seed: z.int(),
});
export type Workload = z.infer<typeof workloadSchema>;

/** What a contender says of its runs: one JSON line on its standard output. */
export const measurementSchema = z.object({
  /** Seconds of each measured run: train all devices and average their updates. */
  seconds: z.array(z.number().positive()).min(1),
  /** Processor time of the same runs, all threads and child processes together: on a busy machine the fairer figure. */
  cpuSeconds: z.array(z.number().positive()).min(1),
  /** Seconds once before the first run: building graphs, starting workers; not part of `seconds`. */
  setupSeconds: z.number().nonnegative(),
  peakMegabytes: z.number().positive(),
  /** Mean training loss of a sample of devices under the model before and after the round: proof that it learned. */
  lossBefore: z.number(),
  lossAfter: z.number(),
});
export type Measurement = z.infer<typeof measurementSchema>;

/** The networks that are measured: the product's, and the smaller one that figures of other systems are known for. */
export const NETWORKS: Readonly<Record<string, NetworkShape>> = {
  '29-32-1': { inputs: 29, hidden: 32 },
  '16-32-1': { inputs: 16, hidden: 32 },
};

/** Stands beside every result, so that nobody takes the figure for more than it is. */
export const LEFT_OUT = [
  'Timed: shuffling, training of every device and the weighted mean of their updates, inputs ready in memory.',
  'Left out: making features, Kafka and Temporal, scoring local models on panels, the gate, building the graph (shown as set-up).',
  'Rows are random numbers with a linear rule; training takes as long on any other numbers.',
  'Peers: rows of the same kind and number, network, loss, batch and epochs, on the CPU: pfl-research and Flower a process a core with one thread each, vmap and NumPy a thread a core.',
  'Fedloop trains each run from the same weights, peers go on from their own: their losses are of more rounds.',
  'pfl-research does not shuffle, which saves it some time; every contender is measured after a round that warms up.',
  'Fleets of more than 2,407 devices train on the same rows again and again, chunk by chunk, each time shuffled anew.',
] as const;
