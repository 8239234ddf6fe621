import { Registry } from 'prom-client';
import { EARLY_ENDS } from '../../../core/contracts/steps';
import { type RoundsActivities } from '../../../activities/rounds';
import { countEarlyEnds } from '../../../workers/early-ends';

/** Only `withdraw` is asked for. */
const activities = (withdraw: RoundsActivities['withdraw']): RoundsActivities =>
  ({ withdraw }) as RoundsActivities;
const input = (end: keyof typeof EARLY_ENDS) => ({ round: 3, attempt: 'a', reason: EARLY_ENDS[end] });
const counts = async (registry: Registry): Promise<Record<string, number>> => {
  const metric = await registry.getSingleMetric('fedloop_rounds_ended_early_total')?.get();
  return Object.fromEntries(
    (metric?.values ?? []).map(({ labels, value }) => [String(labels['end']), value]),
  );
};

describe('rounds that end early', () => {
  it('are counted from 0 on, failed ones apart from cancelled ones', async () => {
    const registry = new Registry();
    const counted = countEarlyEnds(
      activities(() => Promise.resolve()),
      registry,
    );
    expect(await counts(registry)).toEqual({ failed: 0, cancelled: 0 });
    await counted.withdraw(input('failed'));
    await counted.withdraw(input('cancelled'));
    await counted.withdraw(input('cancelled'));
    expect(await counts(registry)).toEqual({ failed: 1, cancelled: 2 });
  });

  it('are not counted while taking back their candidates fails, for it is tried again', async () => {
    const registry = new Registry();
    const counted = countEarlyEnds(
      activities(() => Promise.reject(new Error('the broker is away'))),
      registry,
    );
    await expect(counted.withdraw(input('failed'))).rejects.toThrow('the broker is away');
    expect(await counts(registry)).toEqual({ failed: 0, cancelled: 0 });
  });
});
