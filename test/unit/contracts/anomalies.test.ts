import { falseAlarmsOf, falseAlarmsTextSchema } from '../../../core/contracts/anomalies';
import { deploymentFileSchema, planDeployment } from '../../../core/contracts/deployment-file';
import { DEFAULT_STREAM_SETTINGS } from '../../../core/contracts/settings';

describe('a wanted rate of false alarms', () => {
  it.each([
    ['1 per 1000 device-windows', 0.001],
    ['1 per 50000', 0.00002],
    ['2.5 in 1000', 0.0025],
    ['1 per 10', 0.1],
  ])('is read from "%s"', (text, rate) => {
    expect(falseAlarmsTextSchema.safeParse(text).success).toBe(true);
    expect(falseAlarmsOf(text)).toBe(rate);
  });

  it.each([
    '',
    '0.001',
    '1 per 0',
    '0 per 1000',
    '1 per 5',
    'one per thousand',
    '1 per 1000 devices',
    '-1 per 1000',
    3,
    null,
  ])('is refused where it is %p, in one sentence that says how it is written', (given) => {
    const { error } = falseAlarmsTextSchema.safeParse(given);
    expect(error?.issues.map(({ message }) => message)).toEqual([
      'a rate of false alarms is written as "1 per 1000 device-windows", and lies between 1 per 10 and 1 per 1000000000',
    ]);
  });

  it('is the fleet’s, from its file; one a day for 2,000 devices with hourly windows without it', () => {
    const settingsOf = (anomaly?: { falseAlarms: string }): unknown =>
      planDeployment(deploymentFileSchema.parse(anomaly === undefined ? {} : { anomaly })).settings.anomaly;
    expect(settingsOf({ falseAlarms: '1 per 1000 device-windows' })).toEqual({ falseAlarms: 0.001 });
    expect(settingsOf()).toEqual(DEFAULT_STREAM_SETTINGS.anomaly);
    expect(DEFAULT_STREAM_SETTINGS.anomaly.falseAlarms * 2_083 * 24).toBeCloseTo(1, 2);
  });
});
