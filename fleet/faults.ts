import { type Random } from '../core/platform/random';
import { type Scenario } from './settings';

/** What is wrong with a device. The first six change what it reads, the last three when and how often it sends. */
export const FAULTS = [
  'none',
  'mild-noise',
  'mild-gain',
  'spikes',
  'stuck',
  'noisy',
  'wrong-unit',
  'drifting-clock',
  'duplicates',
  'late',
] as const;
export type Fault = (typeof FAULTS)[number];

type Shares = Readonly<Partial<Record<Fault, number>>>;

/** Part of the fleet with each fault; the rest is healthy. `stationary` and `faults` are the prototype's. */
const MILD: Shares = { 'mild-noise': 0.08, 'mild-gain': 0.06, spikes: 0.06 };
const BROKEN: Shares = { stuck: 0.07, noisy: 0.07, 'wrong-unit': 0.06 };
const EVERYDAY: Shares = {
  'mild-noise': 0.04,
  'mild-gain': 0.03,
  spikes: 0.03,
  stuck: 0.02,
  noisy: 0.02,
  'wrong-unit': 0.01,
  'drifting-clock': 0.02,
  duplicates: 0.015,
  late: 0.015,
};

const SHARES: Readonly<Record<Scenario, Shares>> = {
  everyday: EVERYDAY,
  stationary: MILD,
  season: MILD,
  clock: MILD,
  'clock-half': MILD,
  recal: MILD,
  faults: BROKEN,
  attack: MILD,
  'attack-30': MILD,
  'attack-scaled': MILD,
};

export function drawFault(scenario: Scenario, random: Random): Fault {
  return drawFrom(SHARES[scenario], random.uniform()) ?? 'none';
}

/**
 * What an attacker's update is multiplied with before it is sent; 1 = an honest device. Attackers claim 99 % accuracy.
 * `attack`: 5 % with the opposite sign, 5 % ten times as large; `attack-30`: 30 % with the opposite sign; `attack-scaled`: 10 % with both.
 */
export function drawUpdateFactor(scenario: Scenario, random: Random): number {
  const draw = random.uniform();
  switch (scenario) {
    case 'attack':
      return draw < 0.05 ? -1 : draw < 0.1 ? 10 : 1;
    case 'attack-30':
      return draw < 0.3 ? -1 : 1;
    case 'attack-scaled':
      return draw < 0.1 ? -10 : 1;
    case 'everyday':
    case 'stationary':
    case 'season':
    case 'clock':
    case 'clock-half':
    case 'recal':
    case 'faults':
      return 1;
  }
}

function drawFrom(shares: Shares, draw: number): Fault | undefined {
  let upTo = 0;
  return FAULTS.find((fault) => {
    upTo += shares[fault] ?? 0;
    return draw < upTo;
  });
}
