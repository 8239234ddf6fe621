import { createHash } from 'node:crypto';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { type Strategy, type Update } from './define-strategy';
import { sha256OfFile } from './module-file';
import { type Answer, type Order } from './protocol';

/**
 * The process of one strategy: loads the module and makes its steps, where it may be killed at any time.
 * Arguments: the module's file, and the folder that its places are told from.
 */
const [file = '', folder = ''] = process.argv.slice(2);

/** A module in an endless loop does not notice that nobody waits for it any more. */
const WATCHDOG = `
  const parent = process.ppid;
  setInterval(() => { if (process.ppid !== parent) process.kill(process.pid, 'SIGKILL'); }, 1000);
`;

/** Held here: a module that leaves a `process.send` of its own behind must not end the conversation. */
const send = process.send?.bind(process);

function say(answer: Answer, then?: () => void): void {
  send?.(answer, undefined, undefined, (failure) => {
    if (failure !== null) process.exit(1);
    then?.();
  });
}

function failed(thrown: unknown, then?: () => void): void {
  const isError = thrown instanceof Error;
  say(
    {
      type: 'failed',
      message: isError ? `${thrown.name}: ${thrown.message}` : `it threw ${String(thrown)}`,
      at: isError ? placeIn(String(thrown.stack)) : null,
      isSlip: !isError || SLIPS.includes(thrown.name),
    },
    then,
  );
}

const SLIPS: readonly string[] = ['TypeError', 'ReferenceError', 'RangeError', 'SyntaxError'];

/** The first place of a stack that lies in the folder. */
function placeIn(stack: string): string | null {
  const prefixes = [pathToFileURL(`${folder}/`).href, `${folder}/`];
  for (const line of stack.split('\n')) {
    for (const prefix of prefixes) {
      const from = line.indexOf(prefix);
      const place = from === -1 ? null : /^([^\n]*?):(\d+)/.exec(line.slice(from + prefix.length));
      if (place !== null) return `${decodeURI(place[1] ?? '')}:${place[2] ?? ''}`;
    }
  }
  return null;
}

type Aggregate = Strategy['aggregate'];

function fieldOf(value: unknown, name: string): unknown {
  const canHave = (typeof value === 'object' && value !== null) || typeof value === 'function';
  return canHave ? Reflect.get(value, name) : undefined;
}

function isAggregate(value: unknown): value is Aggregate {
  return typeof value === 'function';
}

interface Loaded {
  readonly strategy: unknown;
  readonly aggregate: Aggregate;
}

/** `module.exports`, `export default`, or the module's own exports. */
async function load(): Promise<Loaded> {
  const exported: unknown = await import(pathToFileURL(file).href);
  const forms = [fieldOf(exported, 'default'), fieldOf(fieldOf(exported, 'default'), 'default'), exported];
  for (const strategy of forms) {
    const aggregate = fieldOf(strategy, 'aggregate');
    if (isAggregate(aggregate)) return { strategy, aggregate };
  }
  throw new Error('the module exports no function aggregate(updates, context, settings)');
}

/** Of all that a step is given. */
function fingerprint(updates: readonly Update[], context: Extract<Order, { type: 'aggregate' }>): string {
  const hash = createHash('sha256');
  for (const { delta, ...about } of updates) hash.update(delta).update(JSON.stringify(about));
  const { base, state, ...rest } = context.context;
  hash.update(base).update(JSON.stringify([rest, context.settings, Object.keys(state)]));
  for (const vector of Object.values(state)) hash.update(vector);
  return hash.digest('hex');
}

async function step(
  { strategy, aggregate }: Loaded,
  updates: readonly Update[],
  order: Extract<Order, { type: 'aggregate' }>,
): Promise<void> {
  const before = order.watch ? fingerprint(updates, order) : '';
  const returned: unknown = await Reflect.apply(aggregate, strategy, [
    updates,
    order.context,
    order.settings,
  ]);
  const isObject = typeof returned === 'object' && returned !== null;
  say({
    type: 'step',
    returned: isObject
      ? {
          delta: fieldOf(returned, 'delta'),
          weights: fieldOf(returned, 'weights'),
          state: fieldOf(returned, 'state'),
        }
      : null,
    changedInput: order.watch && before !== fingerprint(updates, order),
  });
}

function serve(loaded: Loaded): void {
  let updates: Update[] = [];
  process.on('message', (order: Order) => {
    if (order.type === 'updates') {
      updates = [...updates, ...order.updates];
      return;
    }
    const all = updates;
    updates = [];
    step(loaded, all, order).catch(failed);
  });
}

async function main(): Promise<void> {
  new Worker(WATCHDOG, { eval: true }).unref();
  const end = (thrown: unknown): void => {
    failed(thrown, () => process.exit(1));
  };
  process.on('uncaughtException', end);
  process.on('unhandledRejection', end);
  process.on('disconnect', () => process.exit(0));
  try {
    const loaded = await load();
    serve(loaded);
    const about = {
      summary: fieldOf(loaded.strategy, 'summary') ?? null,
      settings: fieldOf(loaded.strategy, 'settings') ?? {},
    };
    say({ type: 'loaded', about, sha256: await sha256OfFile(file) });
  } catch (thrown) {
    end(thrown);
  }
}

void main();
