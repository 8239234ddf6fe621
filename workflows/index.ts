/** Everything that Temporal can start. */
export { batchAnalytics } from './batch-analytics';
export { continuousEvaluation } from './continuous-evaluation';
export { changeChampion } from './change-champion';
export { federatedRound } from './federated-round';
export { federatedTraining } from './federated-training';
export { refitChampion } from './refit-champion';
