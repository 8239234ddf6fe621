'use strict';
/**
 * A strategy of one's own, as plain JavaScript: the mean of updates, none of which pulls further than `times` × the median length.
 *
 *   fedloop strategy check ./examples/strategies/norm-bounded.js
 *   FEDLOOP_STRATEGIES=examples/strategies fedloop up --fleet --devices 60
 *   fedloop round start --wait --input '{"strategy": "./norm-bounded.js", "strategySettings": {"times": 2}}'
 *
 * The types are those of `fedloop/strategy`; a module needs not import it.
 * @type {import('fedloop/strategy').Strategy<{ times: number }>}
 */
module.exports = {
  summary: 'the mean of local models, none further off than the median one, times a factor',
  settings: {
    times: { default: 1, min: 0.1, max: 10, description: 'how many median lengths an update may have' },
  },
  aggregate(updates, { base }, { times }) {
    const lengths = updates.map(({ delta }) => Math.hypot(...delta));
    const bound = times * [...lengths].sort((one, other) => one - other)[lengths.length >> 1];
    const delta = new Float64Array(base.length);
    updates.forEach((update, index) => {
      const factor = lengths[index] > bound ? bound / lengths[index] : 1;
      update.delta.forEach((value, at) => {
        delta[at] += (factor * value) / updates.length;
      });
    });
    return { delta };
  },
};
