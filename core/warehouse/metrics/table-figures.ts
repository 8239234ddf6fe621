import { Counter, Gauge, type Registry } from '../../platform/metrics';
import { METRICS_MAX_REST_MS, METRICS_MIN_INTERVAL_MS, METRICS_REST_FACTOR } from '../limits';

/** One figure that is read from the tables; how it is written is the same for gauges and counters. */
export interface Figure {
  set(labels: Readonly<Record<string, string>>, value: number): void;
}

/** Ask the tables first, then write all values at once: whoever reads in between finds a whole set. */
export type Look = () => Promise<() => void>;

/**
 * Metrics that are read from the tables when Prometheus asks, so that a restart changes no curve. Every metric asks before
 * it is read; one look into the tables serves them all.
 */
export class TableFigures {
  private readonly looks: Look[] = [];
  private readonly forget: (() => void)[] = [];
  private latest: Promise<void> | undefined;
  private freshUntil = 0;

  constructor(private readonly registry: Registry) {}

  gauge(name: string, help: string, labelNames: readonly string[] = []): Figure {
    const metric = new Gauge({
      name,
      help,
      labelNames: [...labelNames],
      registers: [this.registry],
      collect: () => this.refresh(),
    });
    this.forget.push(() => {
      metric.reset();
      // Without labels a reset leaves a 0 behind, which nobody counted.
      if (labelNames.length === 0) metric.remove();
    });
    return {
      set(labels, value) {
        metric.set(labels, value);
      },
    };
  }

  /** For what only grows: Prometheus can take its rate. */
  counter(name: string, help: string, labelNames: readonly string[]): Figure {
    const metric = new Counter({
      name,
      help,
      labelNames: [...labelNames],
      registers: [this.registry],
      collect: () => this.refresh(),
    });
    this.forget.push(() => {
      metric.reset();
    });
    return {
      set(labels, value) {
        metric.inc(labels, value);
      },
    };
  }

  read(look: Look): void {
    this.looks.push(look);
  }

  private refresh(): Promise<void> {
    if (this.latest === undefined || performance.now() >= this.freshUntil) {
      this.freshUntil = Infinity;
      const began = performance.now();
      this.latest = this.look().finally(() => {
        const now = performance.now();
        const rest = Math.max(METRICS_MIN_INTERVAL_MS, METRICS_REST_FACTOR * (now - began));
        this.freshUntil = now + Math.min(METRICS_MAX_REST_MS, rest);
      });
    }
    return this.latest;
  }

  private async look(): Promise<void> {
    const writes: (() => void)[] = [];
    for (const look of this.looks) writes.push(await look());
    for (const forget of this.forget) forget();
    for (const write of writes) write();
  }
}
