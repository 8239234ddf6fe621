import { prototypeWith, type LibraryPatch } from './patch-module';

type Ask<Answer> = (brokerAndId: unknown) => Promise<Answer>;

interface LibraryPool {
  withBroker: <Answer>(this: unknown, ask: Ask<Answer>) => Promise<Answer | null>;
}

/** What a broker may not be asked is said, where the library would ask again for half a minute and then say that there is no such group. */
export const toldRefusals: LibraryPatch = {
  name: 'told-refusals',
  module: 'kafkajs/src/cluster/brokerPool',
  otherwise: 'a consumer group that may not be used is looked for again and again',
  apply(pool) {
    const prototype = prototypeWith<LibraryPool>(pool, 'withBroker');
    if (prototype === undefined) return false;
    const { withBroker } = prototype;
    prototype.withBroker = async function withBrokerOrRefusal<Answer>(ask: Ask<Answer>) {
      const refusals: unknown[] = [];
      const answer = await withBroker.call(this, async (broker) => {
        try {
          return await ask(broker);
        } catch (cause) {
          if (isRefusal(cause)) refusals.push(cause);
          throw cause;
        }
      });
      if (answer === null && refusals.length > 0) throw refusals[0];
      return answer as Answer | null;
    };
    return true;
  },
};

/** Kafka's errors for what a user is not allowed to do. */
export function isRefusal(cause: unknown): boolean {
  return cause instanceof Error && 'type' in cause && String(cause.type).endsWith('_AUTHORIZATION_FAILED');
}
