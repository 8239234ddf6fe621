import { Counter, Gauge, type Registry } from '../../platform/metrics';
import { METRICS_MAX_PAUSE_MS, METRICS_MIN_INTERVAL_MS, METRICS_PAUSE_FACTOR } from '../limits';

/** A metric that is read from the tables, without its name. */
interface Figure {
  readonly kind: 'gauge' | 'counter';
  readonly help: string;
  readonly labels: readonly string[];
}

export function gauge(help: string, ...labels: readonly string[]): Figure {
  return { kind: 'gauge', help, labels };
}

/** A figure that only grows: Prometheus can take its rate. */
export function counter(help: string, ...labels: readonly string[]): Figure {
  return { kind: 'counter', help, labels };
}

/** Set the value of a figure, with the values of its labels in their order; null: it has none now. */
export type Put<Name> = (name: Name, value: number | null | undefined, ...labels: readonly string[]) => void;

/**
 * Metrics that are read from the tables at a scrape, so that a restart changes no curve. One reading of the tables serves all
 * metrics, and its values appear all at once.
 */
export class TableFigures {
  private readonly readings: (() => Promise<void>)[] = [];
  private readonly resets: (() => void)[] = [];
  private found: (() => void)[] = [];
  private latest: Promise<void> | undefined;
  private freshUntil = 0;

  constructor(private readonly registry: Registry) {}

  /** Register figures by name, and the function that reads their values from the tables. */
  read<Name extends string>(
    figures: Readonly<Record<Name, Figure>>,
    reading: (put: Put<Name>) => Promise<void>,
  ): void {
    const metrics = new Map<string, Gauge | Counter>();
    for (const [name, figure] of Object.entries<Figure>(figures))
      metrics.set(name, this.register(name, figure));
    this.readings.push(() =>
      reading((name, value, ...labels) => {
        if (value === null || value === undefined) return;
        const named = Object.fromEntries(figures[name].labels.map((label, at) => [label, labels[at] ?? '']));
        this.found.push(() => metrics.get(name)?.inc(named, value));
      }),
    );
  }

  private register(name: string, { kind, help, labels }: Figure): Gauge | Counter {
    const Metric = kind === 'gauge' ? Gauge : Counter;
    const metric = new Metric({
      name,
      help,
      labelNames: [...labels],
      registers: [this.registry],
      collect: () => this.refresh(),
    });
    this.resets.push(() => {
      metric.reset();
      // Without labels a reset leaves a 0, which nobody counted.
      if (labels.length === 0) metric.remove();
    });
    return metric;
  }

  private refresh(): Promise<void> {
    if (this.latest === undefined || performance.now() >= this.freshUntil) {
      this.freshUntil = Infinity;
      const began = performance.now();
      this.latest = this.readAll().finally(() => {
        const now = performance.now();
        const pause = Math.max(METRICS_MIN_INTERVAL_MS, METRICS_PAUSE_FACTOR * (now - began));
        this.freshUntil = now + Math.min(METRICS_MAX_PAUSE_MS, pause);
      });
    }
    return this.latest;
  }

  private async readAll(): Promise<void> {
    this.found = [];
    for (const reading of this.readings) await reading();
    for (const reset of this.resets) reset();
    for (const write of this.found) write();
  }
}
