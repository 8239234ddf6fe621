/**
 * Imports go one way: contracts ← platform ← model ← stream, federation, warehouse, fleet ← activities ← workers ← cli.
 * Workflows import contracts, and the types of activities alone. Dashboards import nobody and are read as JSON.
 */
const rooms = {
  contracts: '^core/contracts/',
  platform: '^core/platform/',
  model: '^core/model/',
  stream: '^core/stream/',
  federation: '^core/federation/',
  warehouse: '^core/warehouse/',
  fleet: '^core/fleet/',
  activities: '^activities/',
  workers: '^workers/',
  cli: '^cli/',
  dashboards: '^dashboards/src/',
};

const mayImport = {
  contracts: ['contracts'],
  platform: ['platform', 'contracts'],
  model: ['model', 'platform', 'contracts'],
  stream: ['stream', 'model', 'platform', 'contracts'],
  federation: ['federation', 'model', 'platform', 'contracts'],
  warehouse: ['warehouse', 'model', 'platform', 'contracts'],
  fleet: ['fleet', 'model', 'platform', 'contracts'],
  dashboards: ['dashboards'],
  activities: ['activities', 'stream', 'federation', 'warehouse', 'fleet', 'model', 'platform', 'contracts'],
};

const oneWay = Object.entries(mayImport).map(([room, allowed]) => ({
  name: `${room}-imports-one-way`,
  severity: 'error',
  from: { path: rooms[room] },
  to: {
    path: '^(core|workflows|activities|workers|cli|bench|dashboards|test)/',
    pathNot: allowed.map((name) => rooms[name]).join('|'),
  },
}));

module.exports = {
  forbidden: [
    ...oneWay,
    {
      name: 'workers-do-not-import-cli',
      severity: 'error',
      from: { path: rooms.workers },
      to: { path: '^(cli|bench|test)/' },
    },
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
        path: '^(core|activities|workers|cli|bench|dashboards)/',
        pathNot: '^core/contracts/',
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'workflows-know-activities-types-alone',
      severity: 'error',
      from: { path: '^workflows/' },
      to: { path: '^(core/(?!contracts)|workers|cli|bench|dashboards)' },
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
