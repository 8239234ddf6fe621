import { FOREIGN_TOPIC_MARK, foreignTopic } from '../../contracts/topics';

/** Between the names that a deployment uses and those that the broker has. */
export interface TopicNames {
  /** The broker's name. */
  full(name: string): string;
  /** The deployment's name of a topic or group of the broker. */
  bare(full: string): string;
}

/** @param prefix what the deployment's own topics and groups begin with; may be empty. */
export function topicNames(prefix: string): TopicNames {
  const foreign = new Set<string>();
  return {
    full(name) {
      if (!name.startsWith(FOREIGN_TOPIC_MARK)) return prefix + name;
      const full = name.slice(FOREIGN_TOPIC_MARK.length);
      foreign.add(full);
      return full;
    },
    bare: (full) => (foreign.has(full) ? foreignTopic(full) : full.slice(prefix.length)),
  };
}
