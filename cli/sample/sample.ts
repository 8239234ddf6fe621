import { FedloopError } from '../../core/contracts/errors';
import { type Session } from '../system/session';
import { readFiles } from './read-files';
import { readTopic } from './read-topic';
import { type Sample } from './types';

/** Where messages are looked at: files, or a topic. */
export interface SampleOptions {
  readonly from?: string;
  readonly topic?: string;
}

/**
 * Read the first messages of files or of a topic. Of both, the files are read: the topic is where such messages come by.
 * @throws FedloopError where there is nothing to read.
 */
export async function readSample(session: Session, options: SampleOptions, most: number): Promise<Sample> {
  const { from, topic } = options;
  if (from === undefined && topic === undefined) {
    throw new FedloopError('InvalidInput', 'there is nothing to look at', {
      hint: 'Name a file, a folder or - with --from, or a topic with --topic.',
    });
  }
  const sample =
    from === undefined ? await readTopic(session, topic ?? '', most) : await readFiles(from, most);
  if (sample.messages.length === 0) {
    throw new FedloopError('InvalidData', `${sample.name} has no messages`, {
      hint: 'Give a sample with a few hundred messages of several devices.',
    });
  }
  return sample;
}
