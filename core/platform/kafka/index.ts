export { connectKafka } from './connect';
export { partitionOf } from './partition';
export * from './types';
