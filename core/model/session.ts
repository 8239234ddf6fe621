import { InferenceSession, Tensor } from 'onnxruntime-node';

/**
 * An onnxruntime session for a graph of this room, written here and now: bytes that came from elsewhere are never run, so that operators, shapes
 * and time of a run are ours. `threads` bounds the threads of one run; 0 = one a core.
 * A run itself blocks the JavaScript thread (onnxruntime-node runs in place), so callers split work into short runs.
 */
export async function openSession(graph: Uint8Array, threads: number): Promise<InferenceSession> {
  return InferenceSession.create(graph, {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    // Warnings are only about constants of the graph that were folded away.
    logSeverityLevel: 3,
    // Threads that wait by spinning are a little faster on an idle machine, but beside Kafka and other workers they take
    // the cores from those they wait for: training 2,407 devices then took 1.4 s instead of 0.3 s, and twice the CPU time.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  });
}

export function floats(values: Float32Array, ...dims: readonly number[]): Tensor {
  return new Tensor('float32', values, dims);
}

export function int32s(values: Int32Array, ...dims: readonly number[]): Tensor {
  return new Tensor('int32', values, dims);
}

/** The numbers of an output that is known to be of floats. */
export function floatData(tensor: Tensor | undefined): Float32Array {
  const data = tensor?.data;
  if (!(data instanceof Float32Array)) throw new TypeError('onnxruntime gave no floats');
  return data;
}
