import { SCENARIOS, type Scenario } from '../../fleet/settings';
import { newcomers } from './newcomers';
import { poison } from './poisoned';
import { type WorldOptions } from './world';

/**
 * Scenarios of the fleet, and two that are a bench's alone, with the fleet of `stationary`: in `poisoned` some devices send readings that they make up,
 * in `joining` some come only at the change, without a past.
 */
export const LOOP_SCENARIOS = [...SCENARIOS, 'poisoned', 'joining'] as const;
export type LoopScenario = (typeof LOOP_SCENARIOS)[number];

/** The fleet that plays a scenario, and what the bench changes in it. */
export function fleetOf(
  scenario: LoopScenario,
  {
    seed,
    devices,
    tolerance,
    changeWindow,
  }: Pick<WorldOptions, 'seed' | 'devices' | 'tolerance' | 'changeWindow'>,
): { readonly scenario: Scenario } & Pick<WorldOptions, 'lies' | 'joining'> {
  if (scenario === 'poisoned') return { scenario: 'stationary', lies: poison(seed, devices, tolerance) };
  if (scenario !== 'joining') return { scenario };
  return { scenario: 'stationary', joining: { places: newcomers(seed, devices), from: changeWindow } };
}
