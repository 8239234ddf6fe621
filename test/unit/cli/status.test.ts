import { renderBoard, plainLine } from '../../../cli/actions/watch';
import { renderStatus } from '../../../cli/actions/status';
import { DEFAULT_TASK } from '../../../core/contracts/task';
import { linearInWords } from '../../../cli/results/linear-text';
import { type ContributionSummary, type LinearFigures } from '../../../cli/results/summary-schema';
import { splitDevicesSentence } from '../../../core/warehouse/verify/split-devices';
import { type SystemStatus } from '../../../cli/status/system-status';
import { NAMES } from '../../support/names';
import { readWaitingWorkers } from '../../../cli/status/worker-health';

const version = (name: string, stage: string, accuracy: number): SystemStatus['versions'][number] => ({
  model_version: name,
  stage,
  windows: 6,
  evaluations: 14_244,
  accuracy,
  persistence_accuracy: 0.65,
  bias: -0.04,
  skill: 0.3,
});

const status = (given: Partial<SystemStatus> = {}): SystemStatus => ({
  system: {
    id: '20260101-000000-0001',
    pid: 1,
    started: null,
    startedAt: '2026-01-01T00:00:00Z',
    runFolder: '/work/runs/20260101-000000-0001',
    fleet: NAMES.fleet,
    kafka: { brokers: '127.0.0.1:1', topicPrefix: '', eventTopic: 'edge-iiot-stream' },
    temporal: {
      address: '127.0.0.1:2',
      namespace: 'default',
      uiUrl: 'http://127.0.0.1:3',
      configFile: null,
    },
    prometheusUrl: null,
    workers: [],
    processes: [],
  },
  processes: [
    { name: 'Kafka', pid: 2, up: true, state: 'running', restarts: 0, trouble: null },
    { name: 'stream', pid: 4, up: false, state: 'gone', restarts: 0, trouble: null },
  ],
  target: DEFAULT_TASK.target,
  champion: version('v1', 'champion', 0.834),
  versions: [version('v1', 'champion', 0.834), version('v2', 'candidate', 0.849)],
  missingWorker: null,
  retries: [],
  waiting: [],
  checksPaused: null,
  splitDevices: null,
  lastRound: { round: 1, model_version: 'v1', decision: 'promoted', finding: 'better', reason: 'better' },
  round: {
    round: 2,
    step: 'evaluate',
    waitsFor: null,
    paused: null,
    candidate: 'v2',
    devicesTrained: 1_600,
    counted: { done: 4, of: 6 },
  },
  lag: 12_345,
  stream: { lag: 12_345, partitions: 4, unread: [] },
  readiness: {
    sending: 2_405,
    silent: 2,
    tooSparse: 0,
    windows: 32,
    windowsNeeded: 32,
    latestWindow: '2026-01-01T00:00:00Z',
    needs: null,
  },
  fleet: {
    partitionsAhead: [],
    notForecast: [],
    putAside: [],
    deadLetters: [],
    lostRecords: [],
    lostWindows: [],
    lostRejects: [],
  },
  results: { linear: null, contribution: null },
  silent: [],
  nextScheduled: { schedule: 'nightly', at: '2026-01-02T00:00:00.000Z' },
  ...given,
});

describe('status', () => {
  it('shows on one screen what runs, how right it is, how far behind, and what comes next', () => {
    const screen = renderStatus(status(), '/work');
    for (const part of [
      'stream (gone)',
      'v1: 83.4 % real accuracy (persistence 65.0 %, bias −0.04 °C), 14,244 evaluations',
      'temperature, right within 1 °C',
      '12,345 events',
      '1: v1 promoted: better, better',
      'round 2: evaluate v2 on live windows, 4 of 6',
      'since 2026-01-01 00:00 UTC',
      '2026-01-02 00:00 UTC (nightly)',
      'runs/20260101-000000-0001/logs',
    ])
      expect(screen).toContain(part);
    expect(screen.split('\n').length).toBeLessThanOrEqual(24);
  });

  it('says instead of a round which worker is missing', () => {
    const missingWorker = 'no worker polls fedloop-rounds: start one (fedloop worker rounds)';
    const screen = renderStatus(status({ round: null, missingWorker }), '/work');
    expect(screen).toContain(missingWorker);
    expect(screen).not.toContain('no round under way');
  });

  const nothing = {
    champion: null,
    versions: [],
    lag: null,
    stream: null,
    readiness: null,
    fleet: null,
    round: null,
    lastRound: null,
    nextScheduled: null,
  };

  it('says who holds a round, or the live checks, and why', () => {
    const round = status().round;
    const held = status({
      round: round && { ...round, paused: 'maintenance (Ada)' },
      checksPaused: 'a night shift (Carl)',
    });
    const screen = renderStatus(held, '/work');
    expect(screen).toMatch(/now .*evaluate v2 on live windows, 4 of 6; paused: maintenance \(Ada\)/);
    expect(screen).toMatch(/live checks .*paused: a night shift \(Carl\)/);
  });

  it('says what a worker waits for that is alive and cannot go on', async () => {
    const workers = ['ingest', 'stream', 'gone'].map((role) => ({ role, url: `http://${role}`, log: '' }));
    const ask = (url: Parameters<typeof fetch>[0]): Promise<Response> => {
      if (url === 'http://gone/healthz') return Promise.reject(new Error('refused'));
      const why = 'the topic plant is not read: it was deleted';
      return Promise.resolve(new Response(url === 'http://ingest/healthz' ? `${why}\n` : 'ok\n'));
    };
    const waiting = await readWaitingWorkers({ workers }, ask);
    expect(waiting.map(({ role }) => role)).toEqual(['ingest']);
    expect(renderStatus(status({ waiting }), '/work')).toMatch(/ingest .*the topic plant is not read/);
  });

  it('says what a round tries again and again', () => {
    const retries = ['fedloop-round: decide has failed 4 times, at last with: no\nspace; it is tried again'];
    expect(renderStatus(status({ retries }), '/work')).toMatch(
      /failing .*decide has failed 4 times, .* tried again/,
    );
  });

  describe('of a fleet with a linear model and contributions', () => {
    const linear: LinearFigures = {
      rounds: 2,
      evaluations: 200,
      accuracy: 0.75,
      networkAccuracy: 0.745,
      difference: 0.005,
      differenceCi95: [-0.01, 0.02],
    };
    const device = (name: string, soft: number) => ({ device: name, site: 'main', soft });
    const contribution: ContributionSummary = {
      sites: [
        { site: 'main', rounds: 1, accuracy: 0.012, accuracyCi95: [0.002, 0.022], soft: 0.01 },
        { site: 'north', rounds: 1, accuracy: -0.001, accuracyCi95: null, soft: 0 },
      ],
      lastRound: {
        round: 2,
        most: ['a', 'b', 'c', 'd', 'e'].map((name) => device(name, 0.0001)),
        least: ['f', 'g', 'h', 'i', 'j'].map((name) => device(name, -0.0001)),
        above: 1_203,
        below: 1_204,
      },
      behind: [],
      allBehind: 0,
    };

    it('says how it compares with the networks, in the words of the results of a run', () => {
      const screen = renderStatus(status({ results: { linear, contribution: null } }), '/work');
      expect(screen).toContain(
        'linear model 75.0 % beside 74.5 % of the networks on the same device-windows of 2 rounds, +0.50 points (−1.00 … +2.00): the networks are not shown to beat it\n',
      );
      const told = linearInWords(linear).replace('Linear model: ', '').slice(0, -1);
      expect(screen).toContain(told);
    });

    it('says what each site brought to the newest round, and which devices most and least: a few, and how many more', () => {
      const screen = renderStatus(status({ results: { linear: null, contribution } }), '/work');
      expect(screen).toContain(
        'contribution of sites, in points: main +1.20 (95 %: +0.20 … +2.20) over 1 round; north −0.10 over 1 round\n',
      );
      expect(screen).toContain(
        'contribution of devices in round 2, in points of soft score: most a +0.0100, b +0.0100 and 1,201 more; least f −0.0100, g −0.0100 and 1,202 more\n',
      );
    });

    it('says so where the comparison took too long, and nothing where the analytics worker is silent', () => {
      expect(renderStatus(status({ results: null }), '/work')).toContain(
        'linear model unknown: comparing it took more than 10 s',
      );
      const silent = status({ results: null, silent: ['the analytics worker'] });
      expect(renderStatus(silent, '/work')).not.toContain('linear model');
    });
  });

  it('has no line that long names of devices make long', () => {
    const long = 'sensor-'.repeat(36);
    const some = [1, 2, 3, 4, 5].map((n) => ({ device: `${n}${long}`, site: long, soft: 0.01 }));
    const lines = renderStatus(
      status({
        splitDevices:
          splitDevicesSentence(
            some.map(({ device }) => device),
            12,
          ) ?? null,
        results: {
          linear: null,
          contribution: {
            sites: some.map(({ device: site }) => {
              return { site, rounds: 1, accuracy: 0.01, accuracyCi95: [-0.01, 0.02], soft: 0.01 };
            }),
            lastRound: { round: 1, most: some, least: some, above: 5_000, below: 5_000 },
            behind: some,
            allBehind: 5,
          },
        },
      }),
      '/work',
    ).split('\n');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(330);
  });

  it('says so where there is nothing yet', () => {
    const screen = renderStatus(status({ ...nothing, lag: 0 }), '/work');
    for (const part of [
      'none measured yet',
      '0 events',
      'none yet',
      'no round under way',
      'nothing scheduled',
    ])
      expect(screen).toContain(part);
    expect(screen).not.toContain('unknown');
  });

  it('says of a fleet that has just begun when its first round is, who is not forecast, and what was put aside', () => {
    const young = status({
      ...nothing,
      lag: 0,
      stream: { lag: 0, partitions: 4, unread: [3] },
      readiness: {
        sending: 98,
        silent: 2,
        tooSparse: 3,
        windows: 13,
        windowsNeeded: 32,
        latestWindow: '2026-01-01T00:00:00Z',
        needs: '13 of 32 windows, first round about 21:12 UTC',
      },
      fleet: {
        partitionsAhead: [{ partition: 3, seconds: 39_600 }],
        notForecast: [
          {
            state: 'too sparse',
            devices: 3,
            examples: [{ device: 'p1', reason: 'sends every 60 s; a window of 5 min would do' }],
          },
        ],
        deadLetters: [],
        lostRecords: [
          { topic: 'edge-iiot-rejects', records: 15 },
          { topic: 'model-updates', records: 1 },
        ],
        lostRejects: [{ topic: 'edge-iiot-rejects', events: 40 }],
        lostWindows: [
          {
            topic: 'stream-analysis-results',
            windows: 8,
            from: 1_767_225_600_000_000,
            until: 1_767_225_660_000_000,
          },
        ],
        putAside: [
          { source: 'stream', reason: 'late', detail: null, events: 120, remedy: 'A longer watermark.' },
        ],
      },
    });
    const screen = renderStatus(young, '/work');
    for (const part of [
      'devices      98 send, 2 silent',
      'first round  13 of 32 windows, first round about 21:12 UTC',
      'too sparse   3 devices not forecast: p1 sends every 60 s; a window of 5 min would do; and 2 more',
      'late         120 events put aside. A longer watermark.',
      'lost         15 records of edge-iiot-rejects were deleted before they were stored: fedloop sql "FROM lost_records"',
      'lost         1 record of model-updates was deleted before it was stored: fedloop sql "FROM lost_records"',
      'lost         8 windows of partitions in stream-analysis-results, between 2026-01-01 00:00 UTC and 2026-01-01 00:01 UTC, were written and never stored: fedloop sql "FROM lost_windows"',
      'lost         40 events were refused, and why was written to edge-iiot-rejects and never stored: fedloop sql "FROM lost_rejects"',
      'clocks       partition 3 is 11 h ahead of the others, and no round waits for it: look at the clocks of its devices, unless the others read a backlog',
      '4; no worker here reads 3',
    ])
      expect(screen).toContain(part);
    expect(renderStatus({ ...young, silent: ['the analytics worker'] }, '/work')).not.toContain(
      'first round',
    );
  });

  it('counts messages that became no events, and reasons that it has no room for', () => {
    const reasons = [
      'bad-device-id',
      'not-json',
      'empty',
      'not-utf8',
      'bad-timestamp',
      'no-readings',
      'too-large',
    ];
    const putAside = reasons.map((reason) => {
      return { source: 'ingest' as const, reason, detail: null, events: 1_000, remedy: null };
    });
    const screen = renderStatus(
      status({
        ...nothing,
        fleet: {
          partitionsAhead: [],
          notForecast: [],
          putAside,
          deadLetters: [],
          lostRecords: [],
          lostWindows: [],
          lostRejects: [],
        },
      }),
      '/work',
    );
    expect(screen).toContain('bad-device-id 1,000 messages put aside');
    expect(screen).toContain('2,000 put aside for 2 more reasons');
  });

  it('never takes silence for nothing', () => {
    const silent = status({
      ...nothing,
      silent: ['the analytics worker', 'the site worker', 'Temporal', 'Kafka'],
    });
    const unknown = (text: string, who: string): number =>
      text.split(`unknown: ${who} has not answered within 10 s`).length - 1;
    const screen = renderStatus(silent, '/work');
    expect(unknown(screen, 'the analytics worker')).toBe(2);
    expect(unknown(screen, 'Temporal')).toBe(2);
    expect(unknown(screen, 'Kafka')).toBe(1);
    expect(unknown(screen, 'the site worker')).toBe(1);
    expect(renderBoard(silent)).not.toMatch(/none|no round|No version/);
    expect(plainLine(silent)).toBe(
      'unknown: the analytics worker has not answered within 10 s; unknown: Temporal has not answered within 10 s',
    );
  });
});

describe('watch', () => {
  it('shows every version with its distance from persistence', () => {
    const board = renderBoard(status());
    expect(board).toMatch(/v1 +champion +83\.4 % +█{17}░{3} +\+18\.4/);
    expect(board).toMatch(/v2 +candidate +84\.9 %/);
    expect(board).toContain('lag         12,345 events');
  });

  it('is one line in a pipe', () => {
    expect(plainLine(status())).toBe(
      'champion v1 83.4 % (+18.4 points over persistence, 6 windows); candidate v2 84.9 %; round 2: evaluate v2 on live windows, 4 of 6',
    );
  });
});
