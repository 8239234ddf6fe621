import { type Processes } from '../../cli/processes/processes';

export interface RunningServers {
  readonly processes: Processes;
  readonly folder: string;
}

/** jest loads setup and teardown apart from one another; what they share lives on the global object. */
const KEY = Symbol.for('fedloop.test.servers');

export function rememberServers(servers: RunningServers): void {
  Reflect.set(globalThis, KEY, servers);
}

export function rememberedServers(): RunningServers | undefined {
  return Reflect.get(globalThis, KEY) as RunningServers | undefined;
}
