import { type OutgoingMessage } from '../../core/platform/kafka';

/** A message for a topic that nobody of the deployment has written. */
export interface HostileMessage {
  readonly topic: string;
  readonly message: OutgoingMessage;
}
