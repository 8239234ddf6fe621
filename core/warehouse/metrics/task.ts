import { type TargetWords } from '../../contracts/task';
import { type SerialConnection } from '../database/connection';
import { queryTarget } from '../queries/target';
import { gauge, type TableFigures } from './table-figures';

const FIGURES = {
  fedloop_task_info: gauge('What the fleet forecasts, and its unit; always 1.', 'target', 'unit'),
  fedloop_task_tolerance: gauge('A forecast this close to the actual mean is correct.', 'target', 'unit'),
};

/** Value of the label `unit` for a target without one: it reads well behind "in", and an empty label would be none. */
const NO_UNIT = 'units';

/** The fleet's own words. */
export function taskFigures(figures: TableFigures, connection: SerialConnection): void {
  figures.read(FIGURES, async (put) => {
    const target = await storedTarget(connection);
    if (target === null) return;
    put('fedloop_task_info', 1, target.sensor, unitLabel(target));
    put('fedloop_task_tolerance', target.tolerance, target.sensor, unitLabel(target));
  });
}

export function storedTarget(connection: SerialConnection): Promise<TargetWords | null> {
  return queryTarget((row, sql) => connection.rows(row, sql));
}

/** Errors have the target's unit as a label: a metric's name cannot know it. */
export function unitLabel(target: TargetWords | null): string {
  return target === null || target.unit === '' ? NO_UNIT : target.unit;
}
