import { decisionInWords } from '../../core/contracts/decisions';
import { cursorTo, clearScreenDown } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import Table from 'cli-table3';
import { outColours as pc } from '../shared/colours';
import { percent, signed, whole } from '../shared/format';
import { inUnit, signedError } from '../shared/quantities';
import { LIMITS } from '../shared/limits';
import { findRunning, requireRunning } from '../system/running';
import { type Session } from '../system/session';
import { describeRound, nothingOf, readSystemStatus, type SystemStatus } from '../status/system-status';
import { linesOf, PLAIN_TABLE } from '../shared/table-style';

/** `fedloop watch`: the scoreboard, live. */
export async function watch(session: Session, json: boolean): Promise<void> {
  const system = await requireRunning(session.folder);
  const live = !json && process.stdout.isTTY && process.env['TERM'] !== 'dumb';
  let printed = '';
  // Ctrl-C is the regular end of a watch.
  while (!session.signal.aborted) {
    if ((await findRunning(session.folder))?.id !== system.id) {
      session.progress.note(`run ${system.id} has ended`);
      return;
    }
    const status = await readSystemStatus(session, system, 'scoreboard');
    if (live) {
      cursorTo(process.stdout, 0, 0);
      clearScreenDown(process.stdout);
      session.out(renderBoard(status));
    } else {
      const line = json ? jsonLine(status) : plainLine(status);
      if (line !== printed) session.out(`${line}\n`);
      printed = line;
    }
    await sleep(LIMITS.watchMillis, undefined, { signal: session.signal }).catch(() => undefined);
  }
}

/** The scoreboard as a whole screen. */
export function renderBoard(status: SystemStatus): string {
  const { versions, target, round, lastRound, lag, system } = status;
  const table = new Table({
    head: [
      'version',
      'stage',
      'accuracy',
      '',
      'over persistence',
      target === null ? 'bias' : inUnit('bias', target),
      'skill',
      'windows',
      'forecasts',
    ].map((name) => pc.bold(name)),
    colAligns: ['left', 'left', 'right', 'left', 'right', 'right', 'right', 'right', 'right'],
    ...PLAIN_TABLE,
  });
  for (const line of versions) {
    const name = line.stage === 'champion' ? pc.bold(pc.green(line.model_version)) : line.model_version;
    table.push([
      name,
      line.stage ?? '',
      percent(line.accuracy),
      pc.cyan(bar(line.accuracy)),
      signed(100 * (line.accuracy - line.persistence_accuracy), 1),
      target === null ? '' : signedError(line.bias, target),
      line.skill === null ? '' : signed(line.skill, 2),
      whole(line.windows),
      whole(line.evaluations),
    ]);
  }
  return [
    `${pc.bold('Fedloop')}  run ${system.id}  ${pc.dim(new Date().toISOString().slice(11, 19))}`,
    '',
    versions.length === 0
      ? nothingOf(status, 'the analytics worker', 'No version has been measured yet.')
      : linesOf(table),
    '',
    `now         ${round === null ? nothingOf(status, 'Temporal', 'no round under way') : describeRound(round)}`,
    `last round  ${lastRound === null ? nothingOf(status, 'the analytics worker', 'none yet') : `${lastRound.round}: ${lastRound.model_version} ${decisionInWords(lastRound)}`}`,
    `lag         ${lag === null ? nothingOf(status, 'Kafka', 'none') : `${whole(lag)} events`}`,
    pc.dim('Ctrl-C ends the watch, and nothing else.'),
    '',
  ].join('\n');
}

/** Width of the bar that stands for an accuracy of 100 %. */
const BAR_CELLS = 20;

function bar(share: number): string {
  const full = Math.round(share * BAR_CELLS);
  return '█'.repeat(full) + '░'.repeat(BAR_CELLS - full);
}

/** The status as one line of a log. */
export function plainLine(status: SystemStatus): string {
  const { champion, round } = status;
  const parts = [
    champion === null
      ? nothingOf(status, 'the analytics worker', 'no champion measured yet')
      : `champion ${champion.model_version} ${percent(champion.accuracy)} (${signed(100 * (champion.accuracy - champion.persistence_accuracy), 1)} points over persistence, ${whole(champion.windows)} windows)`,
    ...status.versions
      .filter(({ stage }) => stage === 'candidate')
      .map(({ model_version, accuracy }) => `candidate ${model_version} ${percent(accuracy)}`),
    round === null ? nothingOf(status, 'Temporal', 'no round under way') : describeRound(round),
  ];
  return parts.join('; ');
}

/** The status for programs, one object a line. */
function jsonLine({ versions, round, lastRound }: SystemStatus): string {
  return JSON.stringify({ versions, round, lastRound });
}
