/** Everything that Temporal can start. */
export { batchAnalytics } from './batch-analytics';
export { continuousEvaluation } from './continuous-evaluation';
export { federatedRound } from './federated-round';
export { federatedTraining } from './federated-training';
