import { setTimeout as sleep } from 'node:timers/promises';
import { type Environment } from '../core/contracts/config';
import { type StreamSettings } from '../core/contracts/settings';
import { isoOfMicros, type Micros } from '../core/contracts/time';
import { STREAM_GROUP, TOPICS } from '../core/contracts/topics';
import { windowRequestSchema } from '../core/contracts/updates';
import { parseJson } from '../core/contracts/validation';
import { type IncomingRecord, type Kafka, type Producer } from '../core/platform/kafka';
import { type Logger } from '../core/platform/log';
import { Counter, Gauge, type Registry } from '../core/platform/metrics';
import {
  AHEAD_POLL_MILLIS,
  EVENTS_BETWEEN_LOOKS,
  EVENTS_PER_SEND,
  LOOKS_BEFORE_WARNING,
  SEND_INTERVAL_MILLIS,
} from './constants';
import { type FleetEvent } from './events';
import { prepareFleet, type Fleet } from './fleet';
import { isWithinReach, mayBeAhead, pauseAfter, requestedTime, simulatedNow } from './pacing';
import { Playback } from './playback';
import { lastRecords } from './position';
import { type FleetSettings } from './settings';

export { loadFleet, prepareFleet, type Fleet, type PrepareOptions } from './fleet';

export interface FleetServiceOptions {
  readonly kafka: Kafka;
  readonly env: Environment;
  readonly settings: FleetSettings;
  readonly stream: StreamSettings;
  readonly log: Logger;
  readonly registry: Registry;
  /** From `prepareFleet` or `loadFleet`; prepared here when left out. */
  readonly fleet?: Fleet;
}

export interface FleetStatus {
  /** Simulated time reached; the last few thousand events before it may still be under way. */
  readonly position: Micros;
  readonly liveWindow: number;
  readonly eventsSent: number;
  readonly paused: boolean;
}

export interface FleetService {
  /** Send nothing more; what is under way is finished. */
  stop(): Promise<void>;
  /** Rejects when the fleet cannot go on; never resolves. */
  readonly failed: Promise<never>;
  status(): FleetStatus;
}

/**
 * Play the fleet into `edge-iiot-stream`. With `pace: 'requests'` it plays the windows in `window-requests`, from where the topic
 * ends, and pauses in the middle of a window; requests that are met already do nothing, so the whole log of requests is read
 * again after a restart. With `pace: 'free'` it plays without end.
 *
 * @throws FedloopError as `prepareFleet` and `lastRecords`
 */
export async function startFleetService(options: FleetServiceOptions): Promise<FleetService> {
  const { kafka, log, registry } = options;
  const fleet = options.fleet ?? (await prepareFleet(options));
  const topic = TOPICS.stream.name;
  const partitions = (await kafka.offsets(topic)).length;
  const own = new Set<string>(fleet.plan.devices.map(({ id }) => id));
  const playback = new Playback(fleet.plan, fleet.grid, partitions, await lastRecords(kafka, topic, own));
  log.info({ at: isoOfMicros(playback.position) }, 'the fleet stands ready');
  const player = new Player(fleet, playback, kafka, await kafka.producer('outage'), log, registry);
  const requests =
    fleet.settings.pace === 'free'
      ? undefined
      : await kafka.tail({
          topic: TOPICS.windowRequests.name,
          from: 'start',
          onRecords: (records) => {
            for (const record of records) player.playUntil(timeOf(record, fleet, playback.position, log));
          },
        });
  if (fleet.settings.pace === 'free') player.playUntil(Number.POSITIVE_INFINITY);
  const failed = new Promise<never>((_, reject) => {
    player.run().catch(reject);
  });
  return {
    failed,
    status: () => player.status(),
    async stop() {
      await requests?.close();
      await player.stop();
    },
  };
}

/** A request that cannot be read is reported and passed over: the next one may be fine. */
function timeOf({ offset, value }: IncomingRecord, fleet: Fleet, sent: Micros, log: Logger): Micros {
  const request = windowRequestSchema.safeParse(parseJson(value));
  if (!request.success)
    log.error({ offset }, 'passed over a message of window-requests that is not a request');
  else if (!isWithinReach(request.data, sent, fleet.grid))
    log.error(
      { offset },
      'passed over a message of window-requests: its window is too far ahead for a round',
    );
  else return requestedTime(request.data, fleet.grid, fleet.stream);
  return fleet.grid.liveStart;
}

/** Sends what the playback hands out, at the pace of the settings. */
class Player {
  private requested: Micros;
  private sent = 0;
  /** Number of events sent at which to look again how far the stream workers are. */
  private lookAgainAt = 0;
  private paused = true;
  private stopping = false;
  private warned = false;
  private wake: () => void = () => undefined;
  private ended: Promise<void> = Promise.resolve();
  private readonly eventsSent: Counter;
  private readonly eventTime: Gauge;

  constructor(
    private readonly fleet: Fleet,
    private readonly playback: Playback,
    private readonly kafka: Kafka,
    private readonly producer: Producer,
    private readonly log: Logger,
    registry: Registry,
  ) {
    this.requested = fleet.grid.liveStart;
    this.eventsSent = new Counter({
      name: 'fedloop_fleet_events_sent_total',
      help: 'Events that the simulated fleet has sent.',
      registers: [registry],
    });
    this.eventTime = new Gauge({
      name: 'fedloop_fleet_event_time_seconds',
      help: 'Simulated time that the fleet has reached, in seconds since 1970.',
      registers: [registry],
    });
  }

  /** Play until every partition has passed `time`. */
  playUntil(time: Micros): void {
    if (time <= this.requested) return;
    this.requested = time;
    this.wake();
  }

  status(): FleetStatus {
    return {
      position: this.playback.position,
      liveWindow: this.playback.liveWindow,
      eventsSent: this.sent,
      paused: this.paused,
    };
  }

  run(): Promise<void> {
    const running = this.play();
    this.ended = running.catch(() => undefined);
    return running;
  }

  async stop(): Promise<void> {
    this.stopping = true;
    this.wake();
    await this.ended;
    await this.producer.disconnect();
  }

  private async play(): Promise<void> {
    while (!this.isStopping()) {
      if (this.playback.position >= this.nextPause()) {
        await this.untilWoken();
        continue;
      }
      this.paused = false;
      if (this.fleet.settings.speed === 'max') await this.playAtFullSpeed();
      else await this.playByTheClock(this.fleet.settings.speed);
      this.paused = true;
      this.log.debug({ at: isoOfMicros(this.playback.position), sent: this.sent }, 'the fleet pauses');
    }
  }

  /**
   * Simulated time to play up to. The fleet waits for a partition whose few devices are silent or slow, but for no more than a
   * window: the stream's idle time-out deals with longer silence.
   */
  private nextPause(): Micros {
    const { grid } = this.fleet;
    const pause = pauseAfter(this.requested, grid);
    if (this.requested <= grid.liveStart) return grid.liveStart;
    if (this.playback.position < pause || this.playback.passed(this.requested)) return pause;
    return Math.min(this.playback.position + grid.windowMicros / grid.readings, pause + grid.windowMicros);
  }

  private async playAtFullSpeed(): Promise<void> {
    const until = this.nextPause();
    let events = this.playback.nextEvents(EVENTS_PER_SEND, until);
    while (!this.isStopping() && events.length > 0) {
      if (this.sent >= this.lookAgainAt) await this.untilStreamKeepsUp();
      // The next events are made while the broker is busy with these.
      const sending = this.send(events);
      events = this.playback.nextEvents(EVENTS_PER_SEND, until);
      await sending;
    }
  }

  private async playByTheClock(speed: number): Promise<void> {
    const start = { clockMillis: performance.now(), position: this.playback.position };
    while (!this.isStopping() && this.playback.position < this.nextPause()) {
      const due = Math.min(simulatedNow(start, performance.now(), speed), this.nextPause());
      const events = this.playback.nextEvents(EVENTS_PER_SEND, due);
      await this.send(events);
      if (events.length < EVENTS_PER_SEND) await sleep(SEND_INTERVAL_MILLIS);
    }
  }

  private async send(events: readonly FleetEvent[]): Promise<void> {
    if (events.length === 0) return;
    await this.producer.send(
      TOPICS.stream.name,
      events.map((event) => ({
        key: event.device.id,
        value: event.value,
        partition: this.playback.partitionOf(event),
        timestampMillis: event.sentMillis,
      })),
    );
    this.sent += events.length;
    this.eventsSent.inc(events.length);
    this.eventTime.set(this.playback.position / 1_000_000);
    this.warnBeyondPlan();
  }

  private warnBeyondPlan(): void {
    if (this.warned || this.playback.liveWindow < this.fleet.plan.liveWindows) return;
    this.warned = true;
    this.log.warn(
      { liveWindows: this.fleet.plan.liveWindows },
      'the planned live windows are over; from now on devices may meet hours that others have trained on',
    );
  }

  /** Wait while the stream workers have too many events left to read. */
  private async untilStreamKeepsUp(): Promise<void> {
    const most = mayBeAhead(this.fleet.plan.devices.length, this.fleet.grid);
    this.lookAgainAt = this.sent + EVENTS_BETWEEN_LOOKS;
    for (let looks = 1; !this.isStopping(); looks += 1) {
      const ahead = await this.eventsAhead().catch((cause: unknown) => {
        this.log.debug({ err: cause }, 'how far the stream workers are is not known now');
      });
      if (ahead !== undefined && ahead <= most) return;
      if (looks === LOOKS_BEFORE_WARNING)
        this.log.warn(
          { ahead },
          ahead === undefined
            ? 'the fleet waits: the broker does not report how far the stream workers are'
            : 'the fleet waits for the stream workers',
        );
      await sleep(AHEAD_POLL_MILLIS);
    }
  }

  /** Events sent that the stream workers have yet to read. */
  private async eventsAhead(): Promise<number> {
    const [ends, read] = await Promise.all([
      this.kafka.offsets(TOPICS.stream.name),
      this.kafka.committed(STREAM_GROUP, TOPICS.stream.name),
    ]);
    const readUpTo = new Map(read.map(({ partition, offset }) => [partition, offset]));
    return ends.reduce((sum, { partition, low, high }) => sum + high - (readUpTo.get(partition) ?? low), 0);
  }

  private untilWoken(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve;
    });
  }

  /** A method, so that the compiler does not believe the flag unchanged across an await. */
  private isStopping(): boolean {
    return this.stopping;
  }
}
