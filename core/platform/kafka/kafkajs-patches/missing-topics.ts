import { hasFunction, type LibraryPatch } from './patch-module';

/** `UNKNOWN_TOPIC_OR_PARTITION` of the protocol. */
const UNKNOWN_TOPIC = 3;

interface LibraryMetadata {
  protocol: (wanted: { readonly version: number }) => (question: LibraryQuestion) => LibraryRequest;
}

interface LibraryQuestion {
  readonly topics: readonly string[];
}

interface LibraryRequest {
  readonly request: object;
  readonly response: {
    /** Throws at the first error of a topic. */
    readonly parse: (answer: Answer) => Promise<unknown>;
  };
}

interface Answer {
  readonly topicMetadata: readonly { readonly topicErrorCode: number }[];
}

/** A topic that is gone is left out of what a client learns of several: it knows the others. */
export const missingTopics: LibraryPatch = {
  name: 'missing-topics',
  module: 'kafkajs/src/protocol/requests/metadata',
  otherwise:
    'a process that has used a topic which is deleted reads and writes no other until it is started again',
  apply(metadata) {
    if (!hasFunction<LibraryMetadata>(metadata, 'protocol')) return false;
    const { protocol } = metadata;
    metadata.protocol = (wanted) => {
      const ask = protocol(wanted);
      return (question) => {
        const { request, response } = ask(question);
        const parse = (answer: Answer): Promise<unknown> => response.parse(withoutMissing(answer));
        return { request, response: { ...response, parse } };
      };
    };
    return true;
  },
};

/** Where there is none of those that were asked for, the library should say so. */
function withoutMissing(answer: Answer): Answer {
  const topicMetadata = answer.topicMetadata.filter(({ topicErrorCode }) => topicErrorCode !== UNKNOWN_TOPIC);
  return topicMetadata.length === 0 ? answer : { ...answer, topicMetadata };
}
