import { type RejectReason } from '../../contracts/blocks';

/** Rejects of a partition by reason: none yet. */
export function noRejects(): Record<RejectReason, number> {
  return { late: 0, duplicate: 0, future: 0, malformed: 0 };
}

export function isReason(value: unknown): value is RejectReason {
  return typeof value === 'string' && Object.hasOwn(noRejects(), value);
}
