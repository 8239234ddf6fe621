import { z } from 'zod';

/**
 * Recalibrates probabilities: logit(stated) = shift + slope · logit(raw), fitted to the outcomes of earlier statements
 * (Platt 1999, with a prior around "the raw one is right"). It removes what a wrong model of errors leaves behind: a constant
 * bias, and too much or too little spread.
 */

/** Classes of equal width by which raw probabilities are summed. */
const CLASSES = 20;

/** Share of the past that stays when a window has been compared. */
const MEMORY = 0.9;

/**
 * Precision of the prior around shift 0 and slope 1: as much as 300 statements have (each about p(1 − p)), so that chance in a
 * small fleet does not pass for bias.
 */
const PRIOR_PRECISION = 50;

/** Newton's method converges within a few steps; the bounds guard against a step that leads astray. */
const MAX_STEPS = 20;
const MAX_STEP = 1;
const DONE = 1e-9;

/** Raw probabilities of 0 and 1 have no logit. */
const EDGE = 1e-3;

/** As a checkpoint keeps it: by class, the number of statements, the sum of their raw probabilities, and how many came true. */
export const savedRecalibrationSchema = z.object({
  count: z.array(z.number()),
  rawSum: z.array(z.number()),
  correct: z.array(z.number()),
});
type SavedRecalibration = z.infer<typeof savedRecalibrationSchema>;

export class Recalibration {
  private count = new Float64Array(CLASSES);
  private rawSum = new Float64Array(CLASSES);
  private correct = new Float64Array(CLASSES);
  private shift = 0;
  private slope = 1;

  /** The probability to state in place of `raw`. */
  stated(raw: number): number {
    return logistic(this.shift + this.slope * logit(raw));
  }

  /** Learn from the statements of one window: raw probabilities, and whether each came true. */
  learn(outcomes: readonly { readonly raw: number; readonly correct: boolean }[]): void {
    for (const table of [this.count, this.rawSum, this.correct]) {
      for (let i = 0; i < CLASSES; i += 1) table[i] = (table[i] ?? 0) * MEMORY;
    }
    for (const { raw, correct } of outcomes) {
      const place = Math.min(CLASSES - 1, Math.floor(raw * CLASSES));
      this.count[place] = (this.count[place] ?? 0) + 1;
      this.rawSum[place] = (this.rawSum[place] ?? 0) + raw;
      this.correct[place] = (this.correct[place] ?? 0) + (correct ? 1 : 0);
    }
    this.fit();
  }

  save(): SavedRecalibration {
    return { count: [...this.count], rawSum: [...this.rawSum], correct: [...this.correct] };
  }

  restore(saved: SavedRecalibration): void {
    this.count = Float64Array.from(saved.count);
    this.rawSum = Float64Array.from(saved.rawSum);
    this.correct = Float64Array.from(saved.correct);
    this.fit();
  }

  /** Newton's method on the penalised likelihood, from the prior each time, so that a restored state fits the same. */
  private fit(): void {
    this.shift = 0;
    this.slope = 1;
    for (let step = 0; step < MAX_STEPS; step += 1) {
      let gradientShift = -PRIOR_PRECISION * this.shift;
      let gradientSlope = -PRIOR_PRECISION * (this.slope - 1);
      let shiftShift = PRIOR_PRECISION;
      let shiftSlope = 0;
      let slopeSlope = PRIOR_PRECISION;
      for (let i = 0; i < CLASSES; i += 1) {
        const count = this.count[i] ?? 0;
        if (count === 0) continue;
        const x = logit((this.rawSum[i] ?? 0) / count);
        const p = logistic(this.shift + this.slope * x);
        const residual = (this.correct[i] ?? 0) - count * p;
        const weight = count * p * (1 - p);
        gradientShift += residual;
        gradientSlope += residual * x;
        shiftShift += weight;
        shiftSlope += weight * x;
        slopeSlope += weight * x * x;
      }
      const determinant = shiftShift * slopeSlope - shiftSlope * shiftSlope;
      const moveShift = clip((slopeSlope * gradientShift - shiftSlope * gradientSlope) / determinant);
      const moveSlope = clip((shiftShift * gradientSlope - shiftSlope * gradientShift) / determinant);
      this.shift += moveShift;
      this.slope += moveSlope;
      if (Math.abs(moveShift) + Math.abs(moveSlope) < DONE) return;
    }
  }
}

function clip(move: number): number {
  return Math.min(Math.max(move, -MAX_STEP), MAX_STEP);
}

function logit(probability: number): number {
  const inside = Math.min(Math.max(probability, EDGE), 1 - EDGE);
  return Math.log(inside / (1 - inside));
}

function logistic(x: number): number {
  return 1 / (1 + Math.exp(-x));
}
