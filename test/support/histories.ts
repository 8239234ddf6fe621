import { temporal } from '@temporalio/proto';
import { packageFile } from '../../cli/shared/package-root';

type History = temporal.api.history.v1.IHistory;
const { History } = temporal.api.history.v1;

/** A run of a workflow: its id (code may go by it) and its history. */
export interface RecordedRun {
  readonly workflowId: string;
  readonly history: History;
}

/** A run as JSON that can be read and compared: enums by name, bytes as base64. */
export function runToText({ workflowId, history }: RecordedRun): string {
  const plain = History.toObject(History.fromObject(history), {
    enums: String,
    longs: String,
    bytes: String,
  });
  // Stacks of failures name the folder of whoever recorded them.
  return `${JSON.stringify({ workflowId, history: plain }, null, 1).replaceAll(packageFile(), '/fedloop')}\n`;
}

export function runFromText(text: string): RecordedRun {
  const { workflowId, history } = JSON.parse(text) as {
    workflowId: string;
    history: Record<string, unknown>;
  };
  return { workflowId, history: History.fromObject(history) };
}
