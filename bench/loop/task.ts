import { DEFAULT_TASK, featureCount, historyWindows } from '../../core/contracts/task';
import { networkShape } from '../../core/model/types';

/** The benchmark plays the default task. */
export const TASK = DEFAULT_TASK;
export const SHAPE = networkShape(TASK);
export const FEATURES = featureCount(TASK);
export const WINDOWS_BEFORE_TARGETS = historyWindows(TASK);
