import fc from 'fast-check';
import { select } from '../../../activities/select';
import { siteNameSchema } from '../../../core/contracts/ids';
import { type SiteDescription } from '../../../core/contracts/steps';

const site = (name: string, devices: number, more: Partial<SiteDescription> = {}): SiteDescription => ({
  site: siteNameSchema.parse(name),
  devices,
  groups: null,
  latestWindow: 1_000,
  featureSums: null,
  ...more,
});

const choose = (descriptions: SiteDescription[], participants: number | 'all') =>
  select({ sites: descriptions.map((known) => known.site), descriptions, participants });

describe('selecting over sites', () => {
  it('shares participants in proportion to devices, so that the shares add up', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 5_000 }), { minLength: 1, maxLength: 8 }),
        fc.nat(),
        (sizes, pick) => {
          const total = sizes.reduce((sum, size) => sum + size, 0);
          const wanted = 1 + (pick % total);
          const { quotas } = choose(
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
    expect(choose([site('a', 900), site('b', 100)], 'all').quotas).toEqual([
      { site: 'a', participants: 'all', panelDevices: 90 },
      { site: 'b', participants: 'all', panelDevices: 10 },
    ]);
  });

  it('uses no window that one of the sites has not closed yet', () => {
    expect(
      choose([site('a', 10, { latestWindow: 90 }), site('b', 10, { latestWindow: 60 })], 'all').trainUntil,
    ).toBe(60);
  });

  it('tells several sites of each other’s groups, so that a stretch has one role everywhere', () => {
    const { fleet } = choose(
      [site('a', 3, { groups: { x: 2, y: 1 } }), site('b', 2, { groups: { x: 2 } })],
      'all',
    );
    expect(fleet?.groups).toEqual({ x: 4, y: 1 });
  });

  it('refuses more participants than there are devices, naming the field', () => {
    expect(() => choose([site('a', 10)], 11)).toThrow(/participants: 11 asked for/);
  });

  it('says what to do while no window has closed', () => {
    expect(() => choose([site('a', 0, { latestWindow: null })], 'all')).toThrow(
      expect.objectContaining({
        code: 'NotFound',
        hint: expect.stringContaining('fleet') as string,
      }) as Error,
    );
  });
});
