import { type Micros } from '../../contracts/time';

/** The readings of one device in one window, to find duplicates among many. */
export interface SeenReadings {
  has(micros: Micros, value: number): boolean;
  add(micros: Micros, value: number): void;
}

/** Readings of one time are duplicates. */
export class SeenTimes implements SeenReadings {
  private readonly times = new Set<Micros>();

  has(micros: Micros): boolean {
    return this.times.has(micros);
  }

  add(micros: Micros): void {
    this.times.add(micros);
  }
}

/** Readings of one time and value are duplicates. Most times have one value, and need no set of their own. */
export class SeenTimesAndValues implements SeenReadings {
  private readonly valuesOfTime = new Map<Micros, number | Set<number>>();

  has(micros: Micros, value: number): boolean {
    const known = this.valuesOfTime.get(micros);
    return typeof known === 'object' ? known.has(value) : known === value;
  }

  add(micros: Micros, value: number): void {
    const known = this.valuesOfTime.get(micros);
    if (known === undefined) this.valuesOfTime.set(micros, value);
    else if (typeof known === 'object') known.add(value);
    else if (known !== value) this.valuesOfTime.set(micros, new Set([known, value]));
  }
}
