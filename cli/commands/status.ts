import { type Command } from 'commander';
import { outColours as pc } from '../colours';
import { z } from 'zod';
import { askWorker } from '../ask';
import { jsonOption } from '../options';
import { isAlive, requireRunning, type RunningSystem } from '../running';
import { withSession, type Session } from '../session';

const championRow = z.object({
  model_version: z.string(),
  round: z.number().nullable(),
  accuracy: z.number(),
  persistence_accuracy: z.number(),
  evaluations: z.number(),
});
const roundRow = z.object({
  round: z.number(),
  model_version: z.string(),
  decision: z.string(),
  reason: z.string(),
});

interface Status {
  readonly system: RunningSystem;
  readonly processes: readonly { readonly name: string; readonly pid: number; readonly up: boolean }[];
  readonly champion: z.infer<typeof championRow> | null;
  readonly lastRound: z.infer<typeof roundRow> | null;
}

/** `fedloop status`: what runs here, on one screen. */
export function registerStatus(program: Command): void {
  program
    .command('status')
    .summary('what runs in this folder')
    .description(
      'Servers and workers of the running system, the champion and its real accuracy, the last round.',
    )
    .addOption(jsonOption())
    .action((options: { json?: boolean }) =>
      withSession(async (session) => {
        const status = await readStatus(session);
        session.out(options.json === true ? `${JSON.stringify(status, null, 2)}\n` : render(status));
      }),
    );
}

async function readStatus(session: Session): Promise<Status> {
  const system = await requireRunning(session.folder);
  const { kafka, temporal, workers } = system;
  const processes = [
    ...(kafka.pid === null ? [] : [{ name: 'Kafka', pid: kafka.pid }]),
    ...(temporal.pid === null ? [] : [{ name: 'Temporal', pid: temporal.pid }]),
    ...workers.map(({ role, pid }) => ({ name: role, pid })),
  ].map((known) => ({ ...known, up: isAlive(known.pid) }));
  const analytics = workers.find(({ role }) => role === 'analytics');
  const ask = analytics === undefined ? undefined : askWorker(analytics.url);
  const champions = await ask?.(
    championRow,
    `SELECT model_version, round, accuracy, persistence_accuracy, evaluations::DOUBLE AS evaluations
     FROM model_scoreboard WHERE stage = 'champion'`,
  );
  const rounds = await ask?.(
    roundRow,
    'SELECT round, model_version, decision, reason FROM federated_rounds ORDER BY round DESC LIMIT 1',
  );
  return { system, processes, champion: champions?.[0] ?? null, lastRound: rounds?.[0] ?? null };
}

function render({ system, processes, champion, lastRound }: Status): string {
  const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
  const state = processes.map(({ name, up }) => (up ? pc.green(name) : pc.red(`${name} (gone)`))).join(', ');
  const lines = [
    ['run', `${system.id}, since ${system.startedAt}`],
    ['processes', state],
    ['Kafka', system.kafka.brokers],
    ['Temporal', system.temporal.uiUrl ?? system.temporal.address ?? 'as configured'],
    ...(system.prometheusUrl === null ? [] : [['Prometheus', system.prometheusUrl]]),
    [
      'champion',
      champion === null
        ? 'none measured yet'
        : `${champion.model_version}: ${percent(champion.accuracy)} real accuracy (persistence ${percent(champion.persistence_accuracy)}), ${champion.evaluations.toLocaleString('en')} evaluations`,
    ],
    [
      'last round',
      lastRound === null
        ? 'none yet'
        : `${lastRound.round}: ${lastRound.model_version} ${lastRound.decision}, ${lastRound.reason}`,
    ],
    ['logs', `${system.runFolder}/logs`],
  ];
  return `${lines.map(([name = '', text = '']) => `${pc.bold(name.padEnd(11))}${text}`).join('\n')}\n`;
}
