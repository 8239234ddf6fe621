import { versionIdSchema } from '../../../core/contracts/ids';
import { judgeChampion } from '../../../core/federation/promotion/live-check';
import { pairedClusters as beside } from './clusters';

const settings = { margin: 0.002, minWindows: 3, confidence: 0.95 };
const predecessor = versionIdSchema.parse('v3');

const good = beside(4, () => 2);
const bad = beside(4, (cluster) => -5 + (cluster % 2));

describe('judging the champion', () => {
  it('keeps one that is as good as its predecessor and persistence', () => {
    const as = beside(4, () => 0);
    expect(
      judgeChampion({ predecessor, againstPredecessor: as, againstPersistence: as }, settings).action,
    ).toBe('keep');
  });

  it('rolls one back that is worse than its predecessor beyond margin and chance, and says by how much', () => {
    expect(
      judgeChampion({ predecessor, againstPredecessor: bad, againstPersistence: good }, settings),
    ).toEqual({
      action: 'rollback',
      to: predecessor,
      reason: expect.stringMatching(
        /^4\.50 points worse \(.*\) than its predecessor v3 on the same 4 live windows$/,
      ) as string,
    });
  });

  it('rolls one back that is worse than persistence', () => {
    expect(
      judgeChampion(
        { predecessor, againstPredecessor: beside(4, () => 0), againstPersistence: bad },
        settings,
      ),
    ).toMatchObject({
      action: 'rollback',
      to: predecessor,
      reason: expect.stringContaining('than persistence') as string,
    });
  });

  it('forgives what chance explains', () => {
    const swinging = beside(4, (cluster, window) => (window % 2 === 0 ? 8 : -9) + cluster - 4.5);
    expect(
      judgeChampion({ predecessor, againstPredecessor: swinging, againstPersistence: swinging }, settings)
        .action,
    ).toBe('keep');
  });

  it('forgives what the margin allows', () => {
    const slightly = beside(4, (cluster) => (cluster === 0 ? -1 : 0));
    expect(
      judgeChampion(
        { predecessor, againstPredecessor: slightly, againstPersistence: good },
        { ...settings, margin: 0.01 },
      ).action,
    ).toBe('keep');
  });

  it('waits for windows enough', () => {
    const short = beside(2, () => -9);
    expect(
      judgeChampion({ predecessor, againstPredecessor: short, againstPersistence: short }, settings),
    ).toEqual({ action: 'keep', reason: 'only 2 of 3 live windows were measured' });
  });

  it('keeps one that nobody came before, however bad it is', () => {
    expect(
      judgeChampion({ predecessor: null, againstPredecessor: [], againstPersistence: bad }, settings),
    ).toMatchObject({ action: 'keep', reason: expect.stringContaining('no predecessor') as string });
  });

  it('keeps one that is worse than persistence while its predecessor is worse still', () => {
    expect(
      judgeChampion({ predecessor, againstPredecessor: good, againstPersistence: bad }, settings),
    ).toMatchObject({ action: 'keep', reason: expect.stringContaining('worse still') as string });
  });
});
