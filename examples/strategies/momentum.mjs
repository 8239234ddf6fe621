/** A strategy of one's own that remembers: v ← βv + mean of updates, w + v. `state` comes back in the next round. */
export const summary = 'the mean of local models by training rows, with momentum';

export const settings = {
  beta: { default: 0.5, min: 0, max: 0.99, description: 'how much of the last step stays' },
};

export function aggregate(updates, { base, state }, { beta }) {
  const rows = updates.reduce((sum, update) => sum + update.rows, 0);
  const weights = updates.map((update) => (rows === 0 ? 1 / updates.length : update.rows / rows));
  const velocity = new Float32Array(base.length);
  for (let at = 0; at < base.length; at += 1) {
    const mean = updates.reduce((sum, { delta }, index) => sum + weights[index] * delta[at], 0);
    velocity[at] = beta * (state.velocity?.[at] ?? 0) + mean;
  }
  return { delta: velocity, weights, state: { velocity } };
}
