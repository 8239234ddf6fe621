import { isoOfMicros, type Micros } from '../../core/contracts/time';
import { partitionOf, type OutgoingMessage } from '../../core/platform/kafka';
import { seededRandom, type Random } from '../../core/platform/random';

/** Shares of events that are not what they should be. */
const LATE = 0.02;
const DUPLICATE = 0.02;
const FUTURE = 0.01;
const MALFORMED = 0.01;

const BROKEN = [
  '',
  '{"device_id":',
  '{"device_id":"x","timestamp":"noon","temperature":1}',
  'x'.repeat(70_000),
];

export interface FeedOptions {
  readonly seed: number;
  readonly devices: number;
  readonly start: Micros;
  /** How far simulated time moves from one step to the next, each bringing a reading a device. */
  readonly stepMicros: Micros;
  readonly partitions: number;
  /** How far behind late events may lie. */
  readonly lateMicros: Micros;
  /** Sensors that some devices have beside the target; humidity and pressure when left out. */
  readonly covariates?: readonly string[];
}

/**
 * Events of a small fleet in simulated time, from the seed alone: some late, doubled, from clocks that run fast, or no
 * events at all. Kafka's stamp on a record is the simulated time too.
 */
export class EventFeed {
  /** Simulated time in microseconds. */
  now: Micros;
  private readonly random: Random;
  private last: OutgoingMessage | undefined;

  constructor(readonly options: FeedOptions) {
    this.now = options.start;
    this.random = seededRandom(options.seed, 'feed');
  }

  deviceIds(): string[] {
    return Array.from({ length: this.options.devices }, (_, device) => `device-${device}`);
  }

  /** Readings of all devices for the next stretch of simulated time, in the order of sending. */
  step(): OutgoingMessage[] {
    const { stepMicros } = this.options;
    const messages = this.deviceIds().flatMap((device, i) => this.messagesOf(device, i));
    this.now += stepMicros;
    return messages;
  }

  private messagesOf(device: string, i: number): OutgoingMessage[] {
    const { random } = this;
    const { stepMicros, lateMicros } = this.options;
    const at = this.now + random.below(stepMicros);
    const draw = random.uniform();
    if (draw < MALFORMED) return [this.message(device, BROKEN[random.below(BROKEN.length)] ?? '', at)];
    const late = draw < MALFORMED + LATE ? random.below(lateMicros) : 0;
    const early = draw > 1 - FUTURE ? 3_600_000_000 : 0;
    const temperature = 20 + (i % 7) + Math.sin(at / 2e7 + i) + 0.2 * random.normal();
    const reading = this.message(
      device,
      JSON.stringify({
        device_id: device,
        timestamp: isoOfMicros(at - late + early),
        temperature,
        ...(i % 3 === 0 ? {} : this.covariates()),
      }),
      at,
    );
    const again = this.last !== undefined && random.uniform() < DUPLICATE ? [this.last] : [];
    this.last = reading;
    return [reading, ...again];
  }

  private covariates(): Record<string, number> {
    const names = this.options.covariates ?? ['humidity', 'pressure'];
    return Object.fromEntries(names.map((name) => [name, 50 + this.random.normal()]));
  }

  private message(device: string, value: string, at: Micros): OutgoingMessage {
    return {
      key: device,
      value,
      partition: partitionOf(device, this.options.partitions),
      timestampMillis: Math.floor(at / 1_000),
    };
  }
}
