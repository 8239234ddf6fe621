import { type RoundChanges } from '../../core/backtest/changes';

/** What a lying site reports for what it measured. */

export function scaleSums(moment: number, gram: number): RoundChanges['sums'] {
  return (_, sums) => ({
    gram: sums.gram.map((value) => gram * value),
    blocks: sums.blocks.map(({ rows, moment: own }) => ({
      rows: gram * rows,
      moment: own.map((value) => moment * value),
    })),
  });
}

/** Wrong forecasts as right ones, and the other way round, as if `factor` times as many had been scored. */
export function forgeTally(factor: number): RoundChanges['tally'] {
  return (_, tally) => ({
    rows: factor * tally.rows,
    correct: factor * (tally.rows - tally.correct),
    softCorrect: factor * (tally.rows - tally.softCorrect),
    squaredError: factor * tally.squaredError,
    devices: factor * tally.devices,
    difference: -factor * tally.difference,
    squaredDifference: factor * tally.squaredDifference,
  });
}

export function forgeCounts(factor: number): RoundChanges['scores'] {
  return (_, scores) => ({
    rows_recent: factor * scores.rows_recent,
    rows_long: factor * scores.rows_long,
    correct_recent: scores.correct_recent.map((count) => factor * (scores.rows_recent - count)),
    correct_long: scores.correct_long.map((count) => factor * (scores.rows_long - count)),
  });
}
