import { KafkaJSProtocolError } from 'kafkajs';
import { prototypeWith, type LibraryPatch } from './patch-module';

interface LibraryMember {
  /** Null once the group no longer knows the member, until it has joined again. */
  readonly memberId: string | null;
}

interface MemberMethods {
  heartbeat: (this: LibraryMember, wanted: { readonly interval: number }) => Promise<unknown>;
}

/** What the broker answers to a member that it does not know. */
const UNKNOWN_MEMBER = { type: 'UNKNOWN_MEMBER_ID', code: 25, retriable: false };

/** A member that could not join again, because its broker was away, tries until it has; without a membership the library does not ask for one. */
export const lostMembership: LibraryPatch = {
  name: 'lost-membership',
  module: 'kafkajs/src/consumer/consumerGroup',
  otherwise: 'a worker whose broker goes away while it joins its group again may read on outside of it',
  apply(group) {
    const prototype = prototypeWith<MemberMethods>(group, 'heartbeat');
    if (prototype === undefined) return false;
    const { heartbeat } = prototype;
    prototype.heartbeat = async function heartbeatOfMember(wanted) {
      if (this.memberId === null) {
        const message = 'The group does not know this member, which has lost its membership';
        throw new KafkaJSProtocolError(Object.assign(new Error(message), UNKNOWN_MEMBER));
      }
      return heartbeat.call(this, wanted);
    };
    return true;
  },
};
