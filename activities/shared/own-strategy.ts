import { type OwnStrategyName } from '../../core/contracts/strategies';
import { locateStrategy } from '../../core/federation/strategies/own/module-file';
import { RunningStrategy } from '../../core/federation/strategies/own/running-strategy';

/**
 * Load a strategy of somebody's own, work with it, and end its process.
 * @param folder that the worker's operator allows
 * @throws FedloopError as `locateStrategy` and `RunningStrategy`
 */
export async function withOwnStrategy<Result>(
  folder: string | undefined,
  name: OwnStrategyName,
  work: (running: RunningStrategy) => Result | Promise<Result>,
): Promise<Result> {
  const running = await RunningStrategy.start(await locateStrategy(folder, name));
  try {
    return await work(running);
  } finally {
    running.close();
  }
}
