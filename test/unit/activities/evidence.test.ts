import { evidenceOf } from '../../../activities/ask';
import { UNMEASURED } from '../../../core/backtest/feedback';
import { type CandidateRole, type NetworkRole } from '../../../core/contracts/deployments';
import { feedbackSchema, type Feedback } from '../../../core/contracts/feedback';
import { type DeployedVersion } from '../../../core/model/deployments';

const verdict = (round: number, version: string, accuracy: number): Feedback =>
  feedbackSchema.parse({ ...UNMEASURED, round, model_version: version, n: 100, accuracy });

/** A log of deployments with only what evidence needs: version, round and role. */
const deployed = (
  ...versions: readonly (readonly [string, number, CandidateRole | null, NetworkRole?])[]
) => ({
  versions: () =>
    versions.map(
      ([version, round, role, network = null]) =>
        ({ version, message: { lineage: { round, role, network } } }) as unknown as DeployedVersion,
    ),
});

describe('evidence between the responsive and the steady candidate', () => {
  it('is the difference of their accuracies on the round’s windows, oldest first', () => {
    const log = deployed(
      ['v1', 1, 'steady'],
      ['v1-responsive', 1, 'responsive'],
      ['v2', 2, 'responsive'],
      ['v2-steady', 2, 'steady'],
    );
    const said = [
      verdict(2, 'v2', 0.8),
      verdict(2, 'v2-steady', 0.75),
      verdict(1, 'v1', 0.5),
      verdict(1, 'v1-responsive', 0.25),
    ];
    expect(evidenceOf(said, log).evidence).toEqual([-0.25, expect.closeTo(0.05)]);
  });

  it('lets the champion stand in for a responsive proposal that the panel gate held back', () => {
    const log = deployed(['v1', 1, 'steady']);
    expect(evidenceOf([verdict(1, 'v1', 0.75), verdict(1, 'v0', 0.5)], log).evidence).toEqual([-0.25]);
  });

  it('goes back as far as it counts, however many rounds there were', () => {
    const rounds = [1, 2, 3, 4, 5, 6, 7];
    const log = deployed(
      ...rounds.flatMap((round) => [
        [`v${round}`, round, 'steady'] as const,
        [`v${round}-responsive`, round, 'responsive'] as const,
      ]),
    );
    const said = rounds.flatMap((round) => [
      verdict(round, `v${round}`, 0.5),
      verdict(round, `v${round}-responsive`, (50 + round) / 100),
    ]);
    expect(evidenceOf(said, log).evidence).toEqual(
      [0.04, 0.05, 0.06, 0.07].map((points) => expect.closeTo(points) as number),
    );
  });

  it('is not there for strategies that make one candidate', () => {
    const said = [verdict(1, 'v1', 0.8), verdict(1, 'v0', 0.7)];
    expect(evidenceOf(said, deployed(['v1', 1, null]))).toEqual({ evidence: [], linearEvidence: [] });
  });
});

describe('evidence between the linear model and the networks', () => {
  it('is the difference to the network that was elected beside it, whichever of the three served', () => {
    const log = deployed(
      ['v1', 1, 'steady'],
      ['v1-responsive', 1, 'responsive'],
      ['v1-linear', 1, 'linear', 'steady'],
      ['v2', 2, 'linear', 'responsive'],
      ['v2-steady', 2, 'steady'],
      ['v2-responsive', 2, 'responsive'],
    );
    const said = [
      verdict(1, 'v1', 0.5),
      verdict(1, 'v1-responsive', 0.75),
      verdict(1, 'v1-linear', 0.625),
      verdict(2, 'v2', 0.75),
      verdict(2, 'v2-steady', 0.25),
      verdict(2, 'v2-responsive', 0.5),
    ];
    expect(evidenceOf(said, log)).toEqual({ evidence: [0.25, 0.25], linearEvidence: [0.125, 0.25] });
  });

  it('is not there for rounds without a linear model', () => {
    const log = deployed(['v1', 1, 'steady'], ['v1-responsive', 1, 'responsive']);
    const said = [verdict(1, 'v1', 0.5), verdict(1, 'v1-responsive', 0.75)];
    expect(evidenceOf(said, log).linearEvidence).toEqual([]);
  });
});
