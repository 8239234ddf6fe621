/** The gRPC statuses that Temporal's errors are distinguished by. */
const STATUS = {
  cancelled: 1,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  unavailable: 14,
} as const;

/** Whether a call to Temporal failed with this status: native and other connections both set it as the error's `code`. */
export function hasGrpcStatus(thrown: unknown, status: keyof typeof STATUS): thrown is Error {
  return thrown instanceof Error && 'code' in thrown && thrown.code === STATUS[status];
}
