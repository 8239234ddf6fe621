import { MultiBar, type SingleBar } from 'cli-progress';
import { errorColours as pc } from '../shared/colours';
import { formatSeconds, type Progress, type Step } from './progress';

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const FRAME_MILLIS = 100;
const BAR_CELLS = 24;
/** Bars count in thousandths. */
const WHOLE = 1_000;

interface Payload {
  readonly title: string;
  readonly detail: string;
  readonly began: number;
  readonly bounded: boolean;
}

/** Progress on a terminal: a live line for each running step, and a permanent one for each ended step. */
export function terminalProgress(stream: NodeJS.WriteStream): Progress {
  let bars: MultiBar | undefined;
  let open = 0;

  const print = (line: string): void => {
    if (bars === undefined) stream.write(`${line}\n`);
    else bars.log(`${line}\n`);
  };
  const takeDown = (): void => {
    // `update` writes what was logged since the last frame; `stop` alone would lose it.
    bars?.update();
    bars?.stop();
    bars = undefined;
    open = 0;
  };
  return {
    step(title) {
      bars ??= new MultiBar({
        stream,
        fps: 1_000 / FRAME_MILLIS,
        hideCursor: true,
        clearOnComplete: true,
        forceRedraw: true,
        // The command handles Ctrl-C itself.
        gracefulExit: false,
        linewrap: false,
        format: (_, params, payload) => liveLine(params.progress, payload as Payload, stream.columns),
      });
      const parent = bars;
      const payload: Payload = { title, detail: '', began: performance.now(), bounded: false };
      const bar = parent.create(WHOLE, 0, payload);
      open += 1;
      const end = (line: string): void => {
        if (parent !== bars) {
          print(line);
          return;
        }
        print(line);
        open -= 1;
        parent.remove(bar);
        if (open === 0) takeDown();
      };
      return liveStep(bar, payload, end);
    },
    note: print,
    stop: takeDown,
  };
}

function liveStep(bar: SingleBar, first: Payload, end: (line: string) => void): Step {
  let payload = first;
  return {
    rename(title) {
      payload = { ...payload, title };
    },
    update(detail, fraction) {
      bar.update(Math.round((fraction ?? 0) * WHOLE), {
        ...payload,
        detail,
        bounded: fraction !== undefined,
      });
    },
    done(result) {
      const took = pc.dim(`(${formatSeconds(performance.now() - payload.began)})`);
      end(`${pc.green('✓')} ${payload.title}${result === undefined ? '' : `: ${result}`} ${took}`);
    },
    fail(why = 'failed') {
      end(why === 'failed' ? `${pc.red('✗')} ${payload.title}` : pc.dim(`∙ ${payload.title}: ${why}`));
    },
  };
}

/** One live line: spinner, title, bar where the end is known, detail, elapsed time. */
export function liveLine(
  progress: number,
  payload: Payload,
  columns: number,
  now = performance.now(),
): string {
  const elapsed = now - payload.began;
  const frame = FRAMES[Math.floor(elapsed / FRAME_MILLIS) % FRAMES.length] ?? '';
  const filled = Math.round(progress * BAR_CELLS);
  const bar = payload.bounded
    ? ` ${'█'.repeat(filled)}${'░'.repeat(BAR_CELLS - filled)} ${Math.floor(progress * 100)} %`
    : '';
  const line = `${payload.title}${bar}${payload.detail === '' ? '' : `  ${payload.detail}`}  ${formatSeconds(elapsed)}`;
  // A line that wraps would break the redraw.
  return `${pc.cyan(frame)} ${line.slice(0, Math.max(20, columns - 3))}`;
}
