/**
 * Search attributes that rounds set, so that Temporal's list of workflows can be searched by them, such as
 * `FedloopStage = "champion" AND FedloopAccuracy > 0.8`. They must be known to the namespace before a workflow sets them.
 */
export const SEARCH_ATTRIBUTES = {
  /** Version that the round made. */
  version: { name: 'FedloopVersion', type: 'KEYWORD' },
  /** Stage of that version: `candidate`, `champion`, `rejected`. */
  stage: { name: 'FedloopStage', type: 'KEYWORD' },
  /** Its real accuracy (0 to 1) on the round's live windows. */
  accuracy: { name: 'FedloopAccuracy', type: 'DOUBLE' },
} as const;
