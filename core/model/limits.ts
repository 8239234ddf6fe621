/** Bounds of this room, each with its reason. */

/** A model file of a broken or hostile sender must not make us allocate without end; the product's has 29 and 32. */
export const MAX_INPUTS = 4_096;
export const MAX_HIDDEN = 4_096;

/** Tensors, and metadata, of a file that is read: one of ours has 10 and 6. Half a million empty ones would stop a worker for seconds. */
export const MAX_ONNX_ENTRIES = 64;

/**
 * Devices trained in one run of the graph, about 10 ms. Measured with 32 to 2,407 on 2 cores: with fewer, the hand-over between operators
 * costs too much; with more, a step's tensors (0.5 MB each) fall out of the cache.
 */
export const DEVICES_PER_TRAINING_RUN = 128;

/**
 * Models × samples of one run when every model is scored on the same samples: 128 × 512 × 32 activations are 8 MB, about
 * what two cores' caches hold, and a run takes about 2 ms.
 */
export const MODELS_PER_TILE = 128;
export const SAMPLES_PER_TILE = 512;

/**
 * Models × samples of one run where the models' outputs are counted in the graph: 64 × 1,024 × 32 activations are 8 MB. Measured with 4 to 128 models ×
 * 256 to 2,048 samples on 2 cores: smaller runs wait longer for the second core to wake up, larger ones fall out of the cache.
 */
export const MODELS_PER_COUNT = 64;
export const SAMPLES_PER_COUNT = 1_024;

/** Hidden activations of one run elsewhere: 2 M floats are 8 MB, and the run is over in some milliseconds. */
export const ACTIVATIONS_PER_RUN = 2 * 1024 * 1024;
