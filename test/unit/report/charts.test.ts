import { span } from '../../../cli/shared/format';
import { tickSeconds } from '../../../cli/report/charts/timeline';
import { colourOfLine } from '../../../cli/report/charts/windows';

describe('the axis of a timeline', () => {
  it.each([
    [95, 6, 20],
    [1_000, 3, 600],
    [2_400, 6, 600],
    [20_000, 6, 3_600],
    [20 * 86_400, 6, 4 * 86_400],
  ])('of %d seconds with at most %d ticks has one every %d', (span, most, step) => {
    expect(tickSeconds(span, most)).toBe(step);
  });

  it.each([
    [0, '0 s'],
    [45, '45 s'],
    [600, '10 min'],
    [5_400, '1 h 30 min'],
    [172_800, '2 d'],
  ])('says %d seconds as people do', (seconds, text) => {
    expect(span(seconds)).toBe(text);
  });
});

describe('lines over one another', () => {
  it('give the newest version the page’s accent to itself, however many there are', () => {
    const colours = Array.from({ length: 9 }, (_, index) => colourOfLine(index, 9));
    expect(colours.filter((colour) => colour === 'var(--accent)')).toEqual([colours[8]]);
    expect(new Set(colours.slice(3)).size).toBe(6);
  });
});
