import fc from 'fast-check';
import { environmentSchema, topicPrefixOf } from '../../../core/contracts/config';
import { DEFAULT_FLEET, fleetNameSchema, siteNameSchema } from '../../../core/contracts/ids';
import { fleetNames, fleetOfRoundsQueue, SCHEDULE_NAMES } from '../../../core/contracts/queues';
import { readEnvironment } from '../../../core/platform/config';

const PUMPS = fleetNameSchema.parse('pumps');

/** Names of up to four parts, of few words, so that one is often the beginning of another. */
const words = fc.constantFrom('a', 'site', 'stream', 'analytics', 'round', 'rounds', 'batch', 'fedloop', '1');
const fleets = fc
  .array(words, { minLength: 1, maxLength: 4 })
  .map((parts) => fleetNameSchema.safeParse(parts.join('-')).data)
  .filter((name) => name !== undefined);
const sites = fc
  .array(words, { minLength: 1, maxLength: 3 })
  .map((parts) => siteNameSchema.parse(parts.join('-')));

describe('names of a fleet', () => {
  it('of the default fleet are those that it always had', () => {
    const names = fleetNames(DEFAULT_FLEET);
    expect(names).toMatchObject({
      topicPrefix: '',
      roundsQueue: 'fedloop-rounds',
      analyticsQueue: 'fedloop-analytics',
      roundId: 'fedloop-round',
      trainingId: 'fedloop-training',
      batchId: 'fedloop-batch',
      evaluationId: 'fedloop-evaluation',
      championId: 'fedloop-champion',
      schedules: { rounds: 'fedloop-rounds', batch: 'fedloop-batch' },
    });
    expect(names.siteQueue(siteNameSchema.parse('main'))).toBe('fedloop-site-main');
    expect(names.streamQueue('host-1')).toBe('fedloop-stream-host-1');
    expect(names.byHandId('round', '2026')).toBe('round-by-hand-2026');
  });

  it('of another fleet begin with its name', () => {
    const names = fleetNames(PUMPS);
    expect(names.topicPrefix).toBe('pumps.');
    expect(names.roundId).toBe('pumps-round');
    expect(names.byHandId('round', '2026')).toBe('pumps-round-by-hand-2026');
    expect(SCHEDULE_NAMES.map((name) => names.schedules[name])).toEqual(['pumps-rounds', 'pumps-batch']);
  });

  it('of two fleets have none in common, whatever their sites and workers are called', () => {
    fc.assert(
      fc.property(fleets, fleets, sites, sites, (one, other, site, otherSite) => {
        fc.pre(one !== other);
        const queues = [one, other].map((fleet, index) => {
          const names = fleetNames(fleet);
          const end = index === 0 ? site : otherSite;
          return new Set([
            names.roundsQueue,
            names.analyticsQueue,
            names.siteQueue(end),
            names.streamQueue(end),
          ]);
        });
        expect([...(queues[0] ?? [])].filter((queue) => queues[1]?.has(queue))).toEqual([]);
      }),
    );
  });

  it('are found from the queue that its workflows run on', () => {
    fc.assert(
      fc.property(fleets, (fleet) => {
        expect(fleetOfRoundsQueue(fleetNames(fleet).roundsQueue)).toBe(fleet);
      }),
    );
    expect(fleetOfRoundsQueue('fake_replay_queue-1')).toBeUndefined();
  });
});

describe('FEDLOOP_FLEET', () => {
  it('prefixes topics, unless FEDLOOP_TOPIC_PREFIX says otherwise', () => {
    expect(topicPrefixOf(readEnvironment({}))).toBe('');
    expect(topicPrefixOf(readEnvironment({ FEDLOOP_FLEET: 'pumps' }))).toBe('pumps.');
    expect(topicPrefixOf(readEnvironment({ FEDLOOP_FLEET: 'pumps', FEDLOOP_TOPIC_PREFIX: 'x-' }))).toBe('x-');
  });

  it.each([
    ['{"devices": 12}', 'settings of the simulated fleet belong into FEDLOOP_SIMULATION'],
    ['Pumps', 'a fleet is named with 1 to 31 of a-z, 0-9 and -, a letter first'],
    ['pumps-site-a', 'site, stream and analytics are no parts of a name behind its first -'],
  ])('refuses %s', (text, message) => {
    const { error } = environmentSchema.safeParse({ FEDLOOP_FLEET: text });
    expect(error?.issues.map((issue) => issue.message)).toEqual([expect.stringContaining(message)]);
  });
});
