/** Limits of strategies of one's own, each with its reason. */

/** A module that takes longer to load waits for something. */
export const LOAD_LIMIT_MS = 10_000;
/** A step over 5,000 updates that compares them pair by pair takes a minute. */
export const STEP_LIMIT_MS = 120_000;
/** Beside the updates, whose vectors do not count. */
export const HEAP_MB = 1_024;
/** Vectors that a strategy keeps from round to round: with more, its state would not fit a message of `model-deployments`. */
export const MAX_VECTORS = 16;
/** Characters of what a module says that become part of a sentence. */
export const MAX_SAID = 500;
/** Settings that a module declares. */
export const MAX_SETTINGS = 100;
/** Updates in one message to the process. */
export const UPDATES_A_MESSAGE = 1_000;
/** Bytes of a module: it is read to be hashed. */
export const MAX_MODULE_BYTES = 16 * 1024 * 1024;
