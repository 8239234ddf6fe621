/** Which way the mean of a watched stream went. */
export type MeanChange = 'rise' | 'fall';

/** Finds a change of the mean in a stream of values, given one at a time. After an alarm it is used up. */
export interface Detector {
  /** @returns which way the mean went, where this value raised an alarm; else null. */
  update(value: number): MeanChange | null;
}
