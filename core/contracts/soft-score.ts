/** Width of the soft step that stands for "correct" where accuracy itself is too coarse for small changes, in tolerances. */
export const SOFT_CORRECT_WIDTH = 0.25;

/** σ((1 − |e|)/0.25) of an error in tolerances: ½ at the boundary, near 1 inside, near 0 outside. */
export function softCorrect(error: number): number {
  return 1 / (1 + Math.exp((Math.abs(error) - 1) / SOFT_CORRECT_WIDTH));
}

/** Its slope, by tolerance: how fast the score of such an error grows with the forecast; 0 where the forecast is right, at most 1 either way. */
export function softCorrectSlope(error: number): number {
  const score = softCorrect(error);
  return (-Math.sign(error) * score * (1 - score)) / SOFT_CORRECT_WIDTH;
}

/** `softCorrect` as SQL. @param error SQL of an error, @param tolerance of the tolerance, both in the target's unit */
export function softCorrectSql(error: string, tolerance: string): string {
  // e^700 is about as large as a double can be.
  return `1 / (1 + exp(least((abs(${error}) / ${tolerance} - 1) / ${SOFT_CORRECT_WIDTH}, 700)))`;
}
