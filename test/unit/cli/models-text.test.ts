import { stripVTControlCharacters } from 'node:util';
import { renderDiff, renderList } from '../../../cli/models/text';
import { versionIdSchema } from '../../../core/contracts/ids';
import { type ModelDiff } from '../../../cli/models/diff';
import { type ModelVersion } from '../../../cli/models/repository';

const REASON = '0.19 points better (−0.10 to 0.47) than the champion on the same 6 live windows';

const version = {
  version: versionIdSchema.parse('v5'),
  stage: 'champion',
  stageAt: '2026-01-01T00:00:00Z',
  stageReason: REASON,
  accuracy: 0.856,
  windows: 8,
  round: 5,
  strategy: 'closed-loop',
  devices: 1_621,
} as ModelVersion;

const diff: ModelDiff = {
  one: versionIdSchema.parse('v5'),
  other: versionIdSchema.parse('v4'),
  fields: [{ name: 'devices', one: 1_621, other: 1_615 }],
  feedback: [
    { name: 'panel_difference', one: -0.25, other: -2.313e-19 },
    { name: 'elected_by', one: REASON, other: REASON },
  ],
  weights: null,
  live: null,
};

const lines = (text: string): readonly string[] => stripVTControlCharacters(text).split('\n');
const widest = (text: string): number => Math.max(...lines(text).map(({ length }) => length));

describe('the list of versions', () => {
  it('shows the reason of each stage where there is room, and leaves it out of a narrow terminal', () => {
    expect(renderList([version], undefined)).toContain(REASON);
    expect(renderList([version], 250)).toContain(REASON);
    const [head, rule, row] = lines(renderList([version], 110));
    expect(Math.max(head!.length, rule!.length, row!.length)).toBeLessThanOrEqual(110);
    expect(row).not.toContain('points');
  });
});

describe('the differences between two versions', () => {
  it('is wrapped into the terminal', () => {
    expect(widest(renderDiff(diff, 80))).toBeLessThanOrEqual(80);
    expect(widest(renderDiff(diff, undefined))).toBeGreaterThan(2 * REASON.length);
  });

  it('has no blanks at the ends of lines, and no digits that a subtraction has left over', () => {
    const text = stripVTControlCharacters(renderDiff(diff, undefined));
    expect(text).not.toMatch(/ $/m);
    expect(text).toMatch(/panel_difference +−0\.25 +0$/m);
    expect(text).toMatch(/devices +1,621 +1,615$/m);
  });
});
