import { type LinearFigures } from './summary-schema';
import { counted, percent, points, range } from '../shared/format';

/** How the fleet's linear model did beside the networks, as one sentence: also where it says that networks do not pay. */
export function linearInWords(linear: LinearFigures): string {
  return `Linear model: ${besideNetworks(linear)}.`;
}

/** The same for a line that is called so. */
export function besideNetworks(linear: LinearFigures): string {
  const { rounds, accuracy, networkAccuracy, difference, differenceCi95 } = linear;
  const [low, high] = differenceCi95;
  const finding =
    low > 0
      ? 'the networks forecast worse than a line does'
      : high < 0
        ? 'the networks forecast better than a line does'
        : 'the networks are not shown to beat it';
  return (
    `${percent(accuracy)} beside ${percent(networkAccuracy)} of the networks on the same device-windows of ` +
    `${counted(rounds, 'round')}, ${points(difference)} points (${range(differenceCi95, points)}): ${finding}`
  );
}
