import { readFileSync } from 'node:fs';
import { packageFile } from '../../../cli/shared/package-root';
import { federatedRoundInputSchema, loopPartsSchema, partsFor } from '../../../core/contracts/rounds';
import { durationMillis } from '../../../core/contracts/settings';
import { parseOrThrow } from '../../../core/contracts/validation';

const parse = (input: unknown): unknown => parseOrThrow(federatedRoundInputSchema, input, 'the input');

describe('the input of a round', () => {
  it('is complete when nothing is given', () => {
    expect(parse({})).toMatchObject({
      participants: 'all',
      strategy: 'closed-loop',
      windows: 6,
      sites: ['main'],
    });
  });

  it.each([
    [{ participants: -3 }, 'participants: must be "all" or a whole number of at least 1'],
    [{ participants: 2.5 }, 'participants: must be "all" or a whole number of at least 1'],
    [{ windows: 'six' }, 'windows: '],
    [{ strategy: 'magic' }, 'strategy: unknown strategy "magic"; there are closed-loop, open-loop'],
    [{ participant: 20 }, 'unknown field "participant" (did you mean "participants"?)'],
    [
      { gate: { speed: 3 } },
      'unknown field "gate.speed" (there are margin, risk, measuredLoss, minWindows, confidence)',
    ],
    [{ training: { epoch: 3 } }, 'unknown field "training.epoch" (did you mean "epochs"?)'],
    [{ training: { epochs: 0 } }, 'training.epochs: '],
    [{ sites: ['../x'] }, 'sites.0: a site name has'],
    [{ sites: ['main', 'main'] }, 'sites: each site once'],
    [{ privacy: { noiseMultiplier: 1, clipNorm: 1 } }, 'privacy: Gaussian noise protects nobody'],
    ['nonsense', 'must be an object with fields, and not a text'],
  ])('%j is refused with the field named', (input, message) => {
    expect(() => parse(input)).toThrow(message);
    expect(() => parse(input)).toThrow(expect.objectContaining({ code: 'InvalidInput' }) as Error);
  });
});

describe('the parts of a round', () => {
  it('follow the strategy where they are left out', () => {
    expect(partsFor('closed-loop', {}).boundaryWeighting).toBe(true);
    expect(partsFor('fedavg', {}).boundaryWeighting).toBe(false);
  });

  it.each([true, false])('take the old name edgeWeights for boundaryWeighting: %s', (edgeWeights) => {
    const { parts } = federatedRoundInputSchema.parse({ parts: { edgeWeights } });
    expect(partsFor('closed-loop', parts).boundaryWeighting).toBe(edgeWeights);
  });
});

describe('the README', () => {
  const readme = readFileSync(packageFile('README.md'), 'utf8');
  const fields = Object.keys(federatedRoundInputSchema.shape);
  const parts = Object.keys(loopPartsSchema.shape);

  it.each([...fields, ...parts])('names the field %s of a round’s input', (name) => {
    expect(readme).toContain(`\`${name}\``);
  });
});

describe('a duration', () => {
  it.each([
    ['500ms', 500],
    ['30s', 30_000],
    ['1.5m', 90_000],
    ['2d', 172_800_000],
  ])('%s is %i ms', (text, millis) => {
    expect(durationMillis(text)).toBe(millis);
  });
});
