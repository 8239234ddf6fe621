import fc from 'fast-check';
import { shareOut as shareOutFor } from '../../../activities/select';
import { siteNameSchema } from '../../../core/contracts/ids';
import { type SiteDescription } from '../../../core/contracts/site-reports';
import { type Selection } from '../../../core/contracts/steps';
import { DEFAULT_TASK } from '../../../core/contracts/task';
import { clustersOfFleet } from '../../../core/federation/panels/selection';

const shareOut = (descriptions: readonly SiteDescription[], participants: number | 'all'): Selection =>
  shareOutFor(descriptions, participants, DEFAULT_TASK);

const site = (name: string, devices: number, more: Partial<SiteDescription> = {}): SiteDescription => ({
  type: 'site',
  round: 1,
  attempt: 'this-try',
  site: siteNameSchema.parse(name),
  devices,
  groups: null,
  latestWindow: 1_000,
  readiness: null,
  featureSums: null,
  ...more,
});

describe('selecting over sites', () => {
  it('shares participants in proportion to devices, so that the shares add up', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 5_000 }), { minLength: 1, maxLength: 8 }),
        fc.nat(),
        (sizes, pick) => {
          const total = sizes.reduce((sum, size) => sum + size, 0);
          const wanted = 1 + (pick % total);
          const { quotas } = shareOut(
            sizes.map((size, index) => site(`s${index}`, size)),
            wanted,
          );
          const shares = quotas.map(({ participants }) => Number(participants));
          expect(shares.reduce((sum, share) => sum + share, 0)).toBe(wanted);
          shares.forEach((share, index) => {
            expect(Math.abs(share - (wanted * sizes[index]!) / total)).toBeLessThan(1);
          });
        },
      ),
    );
  });

  it('trains everyone off the panels when asked for all', () => {
    expect(shareOut([site('a', 900), site('b', 100)], 'all').quotas).toEqual([
      { site: 'a', participants: 'all', panelDevices: 90 },
      { site: 'b', participants: 'all', panelDevices: 10 },
    ]);
  });

  it('uses no window that one of the sites has not closed yet', () => {
    expect(
      shareOut([site('a', 10, { latestWindow: 90 }), site('b', 10, { latestWindow: 60 })], 'all').trainUntil,
    ).toBe(60);
  });

  it('gives a site that has fallen silent as a whole no share, and lets the others go on without it', () => {
    const { quotas, trainUntil } = shareOut(
      [
        site('night', 50, { latestWindow: 0 }),
        site('day', 50, { latestWindow: 7 * DEFAULT_TASK.windowMicros }),
      ],
      'all',
    );
    expect(quotas).toEqual([
      { site: 'night', participants: 0, panelDevices: 0 },
      { site: 'day', participants: 'all', panelDevices: 5 },
    ]);
    expect(trainUntil).toBe(7 * DEFAULT_TASK.windowMicros);
  });

  it('has several sites go by the clusters of all of them, so that a cluster has one role everywhere', () => {
    const sites = [site('a', 3, { groups: { x: 2, y: 1 } }), site('b', 2, { groups: { x: 2 } })];
    expect(shareOut(sites, 'all').fleet).toEqual({ participants: 'all' });
    expect(clustersOfFleet(sites)).toEqual(
      new Map([
        ['x', 4],
        ['y', 1],
      ]),
    );
    expect(shareOut(sites.slice(0, 1), 'all').fleet).toBeNull();
  });

  it('refuses more participants than there are devices, naming the field', () => {
    expect(() => shareOut([site('a', 10)], 11)).toThrow(/participants: 11 asked for/);
  });

  it('says what to do while no window has closed', () => {
    expect(() => shareOut([site('a', 0, { latestWindow: null })], 'all')).toThrow(
      expect.objectContaining({
        code: 'NotFound',
        hint: expect.stringContaining('fleet') as string,
      }) as Error,
    );
  });
});
