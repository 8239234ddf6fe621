import { selfReportGap } from '../../../core/federation/aggregation/self-reports';

const report = (deviceId: string, selfReportedAccuracy: number, realAccuracy: number | null) => ({
  deviceId,
  selfReportedAccuracy,
  realAccuracy,
});

describe('self-reported beside real accuracy', () => {
  it('has both means, their gap, and names those that claim most beyond what they are worth', () => {
    expect(
      selfReportGap([
        report('honest', 0.75, 0.75),
        report('boaster', 1, 0.25),
        report('modest', 0.5, 0.75),
        report('unscored', 1, null),
        report('hopeful', 0.75, 0.5),
      ]),
    ).toEqual({
      count: 4,
      selfReportedAccuracy: 0.75,
      realAccuracy: 0.5625,
      gap: 0.1875,
      worst: [report('boaster', 1, 0.25), report('hopeful', 0.75, 0.5)],
    });
  });

  it('names five at most, alike whatever order they come in', () => {
    const many = Array.from({ length: 9 }, (_, index) => report(`d${index}`, 1, 0.5));
    expect(selfReportGap(many)?.worst.map(({ deviceId }) => deviceId)).toEqual([
      'd0',
      'd1',
      'd2',
      'd3',
      'd4',
    ]);
    expect(selfReportGap(many.toReversed())).toEqual(selfReportGap(many));
  });

  it('is unknown while no local model was scored', () => {
    expect(selfReportGap([report('a', 1, null)])).toBeNull();
    expect(selfReportGap([])).toBeNull();
  });
});
