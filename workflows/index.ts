/** Everything that Temporal can start. */
export { batchAnalytics } from './batch-analytics';
export { federatedRound } from './federated-round';
export { federatedTraining } from './federated-training';
