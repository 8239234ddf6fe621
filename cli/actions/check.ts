import Table from 'cli-table3';
import { FedloopError } from '../../core/contracts/errors';
import { remedyOf } from '../../core/contracts/remedies';
import { DEFAULT_STREAM_SETTINGS, microsText, type StreamSettings } from '../../core/contracts/settings';
import { needsIngest } from '../../core/contracts/source';
import { minLags } from '../../core/contracts/task';
import { isoOfMicros } from '../../core/contracts/time';
import { assertSource } from '../../core/ingest/inspect/assert-source';
import { assertWindow } from '../../core/ingest/inspect/settle';
import { ONE_DEVICE } from '../../core/ingest/inspect/understand';
import { readDeploymentFile } from '../../core/platform/deployment-file';
import { type CheckedSample, checkSample } from '../check/check-sample';
import { parsedMessages } from '../sample/parsed';
import { readSample, type SampleOptions } from '../sample/sample';
import { outColours as pc, errorColours } from '../shared/colours';
import { counted, printable, whole } from '../shared/format';
import { linesOf, PLAIN_TABLE } from '../shared/table-style';
import { deploymentFileOf } from '../system/deployment-file';
import { type Session } from '../system/session';

export interface CheckOptions extends SampleOptions {
  readonly json?: true;
}

/** As many as are looked through in some seconds, and fit into memory. */
const MESSAGES = 200_000;

/**
 * Say what would become of real messages: what is accepted, what is rejected and why, and when forecasts are possible.
 * @throws FedloopError for a file that does not fit the messages.
 */
export async function check(session: Session, options: CheckOptions): Promise<void> {
  const settings = await settingsOf(session);
  const topic = options.topic ?? (options.from === undefined ? settings.source.topic : undefined);
  const sample = await readSample(
    session,
    { ...options, ...(topic === undefined ? {} : { topic }) },
    MESSAGES,
  );
  const values = parsedMessages(sample).map(({ value }) => value);
  const notes = [...assertSource(values, settings)];
  const checked = await checkSample(sample, settings);
  const { task } = settings;
  assertWindow(checked.rhythm, task.windowMicros, task.target.holdMicros !== undefined);
  if (checked.devices === 1) notes.push(ONE_DEVICE);
  if (!checked.rhythm.hasOrder)
    notes.push(
      'The sample does not show in which order readings arrive: it was played in the order of their times.',
    );
  if (sample.isCut)
    notes.push(`There are more messages: the first ${whole(sample.messages.length)} were looked at.`);
  session.out(
    options.json === true ? `${JSON.stringify(jsonOf(checked, settings))}\n` : textOf(checked, settings),
  );
  for (const note of notes) process.stderr.write(`${errorColours.yellow('!')} ${printable(note)}\n`);
  if (checked.accepted > 0) return;
  throw new FedloopError('InvalidData', `nothing of ${sample.name} would be accepted`, {
    hint: 'Mend the deployment file: the reasons say what is wrong.',
  });
}

/** Settings of the file that is named, else of the one in this folder, else the defaults. */
async function settingsOf(session: Session): Promise<StreamSettings> {
  const path = deploymentFileOf(session);
  return path === undefined ? DEFAULT_STREAM_SETTINGS : (await readDeploymentFile(path)).settings;
}

function jsonOf(checked: CheckedSample, { task }: StreamSettings): object {
  const { messages, readings, accepted, rejected, devices, deviceWindows, firstForecast } = checked;
  return {
    messages,
    readings,
    accepted,
    rejected: Object.fromEntries([...rejected].map(([reason, { count }]) => [reason, count])),
    devices,
    deviceWindows,
    window: microsText(task.windowMicros),
    firstForecast: firstForecast === null ? null : isoOfMicros(firstForecast),
  };
}

function textOf(checked: CheckedSample, settings: StreamSettings): string {
  const { messages, readings, accepted, rejected, devices, deviceWindows } = checked;
  const { task, source } = settings;
  const window = microsText(task.windowMicros);
  const lines = [
    `${counted(messages, 'message')}, ${counted(readings, 'reading')}: ${pc.green(`${whole(accepted)} accepted`)} of ${counted(devices, 'device')}, in ${counted(deviceWindows, 'window')} of ${window} and a device.`,
    needsIngest(source)
      ? 'An ingest worker makes events of these messages.'
      : 'Stream workers read these messages as they are.',
    forecastSentence(checked, settings),
  ];
  if (rejected.size === 0) return `${lines.join('\n')}\n`;
  const table = new Table({ ...PLAIN_TABLE, head: ['rejected', 'count', 'the first'] });
  const remedies: string[] = [];
  for (const [reason, { count, message, detail }] of [...rejected].sort(
    ([, a], [, b]) => b.count - a.count,
  )) {
    table.push([
      reason,
      { content: whole(count), hAlign: 'right' },
      printable(`message ${whole(message)}: ${detail}`),
    ]);
    const remedy = remedyOf(reason);
    if (remedy !== undefined) remedies.push(`${reason}: ${remedy}`);
  }
  return `${[...lines, '', linesOf(table), '', ...remedies].join('\n')}\n`;
}

function forecastSentence({ firstForecast, isExpected }: CheckedSample, { task }: StreamSettings): string {
  if (firstForecast === null) return 'Nothing can be forecast.';
  const needed = `a forecast needs ${minLags(task)} of the last ${task.lags} windows of a device`;
  return isExpected
    ? `The sample is too short for a forecast: the first is possible for ${isoOfMicros(firstForecast)} where devices go on sending (${needed}).`
    : `Forecasts are possible from ${isoOfMicros(firstForecast)} on (${needed}).`;
}
