/** Which way the mean of a watched stream went. */
export type MeanChange = 'rise' | 'fall';

/** Finds changes of the mean in a stream of values, given one at a time. */
export interface Detector {
  /** @returns which way the mean went, where this value raised an alarm; else null. After an alarm the next value starts afresh. */
  update(value: number): MeanChange | null;
}
