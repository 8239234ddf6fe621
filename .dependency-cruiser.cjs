/**
 * Imports go one way: contracts ← platform ← model ← stream, federation, warehouse ← activities ← workers ← cli, with ingest on platform
 * alone and the simulated fleet beside the workers. Workflows import contracts, and the types of activities alone. Dashboards import nobody and are read as JSON.
 */
const rooms = {
  contracts: '^core/contracts/',
  platform: '^core/platform/',
  ingest: '^core/ingest/',
  model: '^core/model/',
  stream: '^core/stream/',
  federation: '^core/federation/',
  warehouse: '^core/warehouse/',
  backtest: '^core/backtest/',
  fleet: '^fleet/',
  activities: '^activities/',
  workers: '^workers/',
  cli: '^cli/',
  dashboards: '^dashboards/src/',
};

const mayImport = {
  contracts: ['contracts'],
  platform: ['platform', 'contracts'],
  ingest: ['ingest', 'platform', 'contracts'],
  model: ['model', 'platform', 'contracts'],
  stream: ['stream', 'model', 'platform', 'contracts'],
  federation: ['federation', 'model', 'platform', 'contracts'],
  warehouse: ['warehouse', 'model', 'platform', 'contracts'],
  backtest: ['backtest', 'stream', 'federation', 'model', 'platform', 'contracts'],
  fleet: ['fleet', 'model', 'platform', 'contracts'],
  dashboards: ['dashboards'],
  activities: ['activities', 'stream', 'federation', 'warehouse', 'model', 'platform', 'contracts'],
  workers: [
    'workers',
    'activities',
    'fleet',
    'ingest',
    'stream',
    'federation',
    'warehouse',
    'model',
    'platform',
    'contracts',
  ],
};

/**
 * Rooms inside rooms: what a sub-folder may import of its own room. `.` stands for the room's files that belong to no sub-folder
 * and know none (limits, constants, vectors); a file name stands for itself.
 */
const subRooms = {
  'core/platform': {
    'kafka/kafkajs-patches': ['kafka/fetched-batches.ts', 'kafka/record-batch.ts', 'log.ts'],
    kafka: ['kafka/kafkajs-patches', '.'],
  },
  'core/stream': {
    parse: ['limits.ts'],
    windows: ['parse', 'limits.ts'],
    adapters: ['windows', 'limits.ts'],
    anomalies: ['windows', 'limits.ts'],
    forecasts: ['windows', 'adapters', 'anomalies', 'limits.ts'],
    backpressure: ['limits.ts'],
    ownership: [
      'refuse-batch.ts',
      'engine.ts',
      'closing.ts',
      'watermark-resets.ts',
      'metrics.ts',
      'limits.ts',
      'forecasts',
      'adapters',
      'anomalies',
      'windows',
      'parse',
    ],
    replay: [
      'refuse-batch.ts',
      'engine.ts',
      'closing.ts',
      'limits.ts',
      'ownership',
      'forecasts',
      'windows',
      'parse',
    ],
  },
  'core/federation': {
    training: ['.'],
    'strategies/own': ['strategies/server-state.ts', '.'],
    strategies: ['.'],
    promotion: ['.'],
    drift: ['promotion', '.'],
    aggregation: ['strategies', '.'],
    'strategy-check': ['aggregation', 'strategies', '.'],
    panels: ['aggregation', 'promotion', 'strategies', 'training', '.'],
    contribution: ['panels', 'aggregation', 'strategies', 'training', '.'],
  },
  'core/warehouse': {
    database: ['limits.ts'],
    sink: ['database', 'limits.ts'],
    batch: ['database', 'limits.ts'],
    queries: ['database', 'limits.ts'],
    feedback: ['database', 'queries', 'limits.ts'],
    metrics: ['database', 'queries', 'sink', 'limits.ts'],
    verify: ['database', 'sink', 'limits.ts'],
    sql: ['database', 'limits.ts'],
  },
  cli: {
    shared: [],
    progress: ['shared'],
    processes: ['progress', 'shared'],
    servers: ['processes', 'progress', 'shared'],
    system: ['servers', 'processes', 'progress', 'shared'],
    query: ['system', 'progress', 'shared'],
    temporal: ['system', 'servers', 'progress', 'shared'],
    results: ['shared'],
    models: ['results', 'query', 'temporal', 'servers', 'system', 'progress', 'shared'],
    dashboard: ['shared'],
    history: ['shared'],
    report: ['results', 'system', 'progress', 'shared'],
    status: ['results', 'query', 'temporal', 'servers', 'system', 'processes', 'progress', 'shared'],
    backtest: ['results', 'shared'],
    sample: ['system', 'shared'],
    init: ['shared'],
    check: ['sample', 'shared'],
    demo: ['report', 'results', 'query', 'temporal', 'servers', 'system', 'processes', 'progress', 'shared'],
  },
};

const text = (path) => path.replaceAll('.', '\\.');

const insideRooms = Object.entries(subRooms).flatMap(([room, folders]) =>
  Object.entries(folders).map(([folder, allowed]) => ({
    name: `${room}/${folder}-imports-one-way`,
    severity: 'error',
    from: {
      path: `^${room}/${folder}/`,
      pathNot: Object.keys(folders)
        .filter((other) => other.startsWith(`${folder}/`))
        .map((other) => `^${room}/${other}/`),
    },
    to: {
      path: `^${room}/`,
      pathNot: [folder, ...allowed].map((name) => {
        if (name === '.') return `^${room}/[^/]+$`;
        return name.endsWith('.ts') ? `^${room}/${text(name)}$` : `^${room}/${name}/`;
      }),
    },
  })),
);

const oneWay = Object.entries(mayImport).map(([room, allowed]) => ({
  name: `${room}-imports-one-way`,
  severity: 'error',
  from: { path: rooms[room] },
  to: {
    path: '^(core|fleet|workflows|activities|workers|cli|bench|dashboards|test)/',
    pathNot: allowed.map((name) => rooms[name]).join('|'),
  },
}));

module.exports = {
  forbidden: [
    ...oneWay,
    ...insideRooms,
    {
      // `fedloop --help` would wait for every client and library otherwise.
      name: 'commands-load-their-work-when-called',
      severity: 'error',
      from: { path: '^cli/(main|commands/)' },
      to: { path: '^cli/actions/', dependencyTypesNot: ['type-only', 'dynamic-import'] },
    },
    {
      name: 'workflows-import-contracts-and-types-of-activities',
      severity: 'error',
      from: { path: '^workflows/' },
      to: {
        path: '^(core|fleet|activities|workers|cli|bench|dashboards)/',
        pathNot: '^core/contracts/',
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'workflows-know-activities-types-alone',
      severity: 'error',
      from: { path: '^workflows/' },
      to: { path: '^(core/(?!contracts)|fleet|workers|cli|bench|dashboards)' },
    },
    {
      name: 'no-circular',
      severity: 'error',
      from: {},
      to: { circular: true, dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'no-orphans',
      severity: 'error',
      from: {
        orphan: true,
        pathNot: ['\\.d\\.ts$', '^(cli/main|workers/bundle|bench/|dashboards/src/write)'],
      },
      to: {},
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
  },
};
