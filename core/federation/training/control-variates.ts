import { stepsOfTraining } from '../../model/epoch-plan';
import { type TrainingSettings } from '../../contracts/rounds';
import { type FlatWeights } from '../../model/types';
import { type LocalTraining } from './local-training';

/**
 * Bytes of control variates that a site remembers: as many devices as train in a round of a quarter of a million would fill the memory. Of the
 * others, those that trained longest ago, nothing is known any more.
 */
const MAX_BYTES = 64 * 1024 * 1024;

/** The server's control variate and the try at a round that has moved it last. */
export interface ServerControl {
  /** c [P] */
  readonly control: FlatWeights;
  readonly movedBy: string;
}

/** What devices learned in one try at a round: it counts once the server has learned it, too. */
interface Pending {
  readonly attempt: string;
  readonly variates: Map<string, FlatWeights>;
}

/** What one device's training came to. */
export interface Learned {
  readonly deviceId: string;
  /** δᵢ [P] */
  readonly delta: FlatWeights;
  /** τᵢ η: its local steps times the learning rate. */
  readonly stepLength: number;
}

export function learnedBy(
  { devices, deltas }: LocalTraining,
  settings: TrainingSettings,
): readonly Learned[] {
  const parameters = deltas.length / Math.max(1, devices.length);
  return devices.map(({ device_id: deviceId, rows }, at) => ({
    deviceId,
    delta: deltas.subarray(at * parameters, (at + 1) * parameters),
    stepLength: Math.max(1, stepsOfTraining(rows, settings)) * settings.learningRate,
  }));
}

/**
 * What each device of a site usually pulls beyond the others: the control variates cᵢ [P] of SCAFFOLD, 0 for a device that has not trained.
 * They live as long as the process: a site that starts anew begins with 0, and so does every site when the server forgets its own (after a
 * rejected candidate, or a round with another strategy).
 */
export class ControlVariates {
  private readonly kept = new Map<string, FlatWeights>();
  private pending: Pending | undefined;

  /**
   * Corrections of every gradient, c − cᵢ, row by row as the devices are listed [devices, P].
   * @param server null: it has none
   */
  corrections(deviceIds: readonly string[], server: ServerControl | null, parameters: number): Float32Array {
    this.settle(server);
    const rows = new Float32Array(deviceIds.length * parameters);
    if (server === null) return rows;
    deviceIds.forEach((deviceId, row) => {
      const own = this.kept.get(deviceId);
      for (let at = 0; at < parameters; at += 1)
        rows[row * parameters + at] = (server.control[at] ?? NaN) - (own?.[at] ?? 0);
    });
    return rows;
  }

  /**
   * What devices have learned: cᵢ ← cᵢ − c − δᵢ/(τᵢ η), the second way of the paper, which costs no further gradients.
   */
  learn(attempt: string, server: ServerControl | null, learned: readonly Learned[]): void {
    if (this.pending?.attempt !== attempt) this.pending = { attempt, variates: new Map() };
    for (const { deviceId, delta, stepLength } of learned) {
      const own = this.kept.get(deviceId);
      const next = delta.map(
        (value, at) => (own?.[at] ?? 0) - (server?.control[at] ?? 0) - value / stepLength,
      );
      this.pending.variates.set(deviceId, next);
    }
  }

  /** Take over what the server has learned as well; forget what it has not. */
  private settle(server: ServerControl | null): void {
    if (server === null) this.kept.clear();
    if (this.pending === undefined || server?.movedBy !== this.pending.attempt) return;
    for (const [deviceId, variate] of this.pending.variates) {
      // The latest last.
      this.kept.delete(deviceId);
      this.kept.set(deviceId, variate);
    }
    this.pending = undefined;
    const [first] = this.kept.values();
    const most = Math.floor(MAX_BYTES / (first?.byteLength ?? 1));
    for (const deviceId of [...this.kept.keys()].slice(0, Math.max(0, this.kept.size - most)))
      this.kept.delete(deviceId);
  }
}
