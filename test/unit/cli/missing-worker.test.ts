import { describeMissing } from '../../../cli/temporal/missing-worker';

type Polled = Parameters<typeof describeMissing>[3];

const sentence = (polled: Partial<Polled>): string | undefined =>
  describeMissing('fedloop', 'fedloop-rounds', 'fedloop-round', {
    pinned: undefined,
    current: null,
    builds: [],
    ...polled,
  });

describe('the worker that a run waits for', () => {
  it.each<[string, Partial<Polled>]>([
    ['any without a build, where no version is current', { builds: [null] }],
    ['the current one', { current: 'two', builds: ['one', 'two'] }],
    ['that of its own build', { pinned: { build: 'one' }, current: 'two', builds: ['one'] }],
  ])('is not missing when it polls: %s', (_, polled) => {
    expect(sentence(polled)).toBeUndefined();
  });

  it('is any, where nobody polls', () => {
    expect(sentence({})).toBe('no worker polls fedloop-rounds: start one (fedloop worker rounds)');
  });

  it('is there, and its version must be made current', () => {
    expect(sentence({ builds: ['two', 'one', 'two'] })).toBe(
      'no version of fedloop is current, and the workers that poll fedloop-rounds are of a build (one, two): ' +
        'make one current (temporal worker deployment set-current-version --deployment-name fedloop --build-id one)',
    );
  });

  it('is one of the current build, also where workers without a build poll', () => {
    const start =
      'no worker of the current build two of fedloop polls fedloop-rounds: start one (FEDLOOP_BUILD_ID=two fedloop worker rounds)';
    expect(sentence({ current: 'two', builds: [null] })).toBe(start);
    expect(sentence({ current: 'two', builds: ['one'] })).toContain(`${start}, or make the build`);
  });

  it('is one of the build that the run is pinned to, whatever is current', () => {
    expect(sentence({ pinned: { build: 'one' }, current: 'two', builds: ['two'] })).toContain(
      'the run fedloop-round is pinned to the build one',
    );
  });
});
