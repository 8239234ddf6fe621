/** Which way the mean of a watched stream went. */
export type MeanChange = 'rise' | 'fall';
