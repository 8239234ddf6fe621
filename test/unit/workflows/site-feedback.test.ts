import { siteNameSchema } from '../../../core/contracts/ids';
import { feedbackOfSites } from '../../../workflows/site-feedback';

const [north, south, west] = ['north', 'south', 'west'].map((name) => siteNameSchema.parse(name));

describe('what feedback changed in training', () => {
  it('stands once where all sites agree', () => {
    const feedbackUsed = { champion: 'v3', edge_width: 0.6 };
    const sites = [north!, south!].map((site) => ({ site, feedbackUsed }));
    expect(feedbackOfSites(sites)).toEqual(feedbackUsed);
    expect(feedbackOfSites([])).toEqual({});
  });

  it('names each site whose figures differ from the first one’s', () => {
    expect(
      feedbackOfSites([
        { site: north!, feedbackUsed: { champion: 'v3', champion_accuracy: 0.8, edge_width: 0.6 } },
        { site: south!, feedbackUsed: { champion: 'v3', champion_accuracy: 0.81, edge_width: 0.6 } },
        { site: west!, feedbackUsed: { champion: null } },
      ]),
    ).toEqual({
      champion: 'v3',
      champion_accuracy: 0.8,
      edge_width: 0.6,
      'champion_accuracy (south)': 0.81,
      'champion (west)': null,
    });
  });
});
