import { readEnvironment } from '../../core/platform/config';
import { namesTemporal } from './temporal-client';

/** Which of a system's servers Fedloop has started itself. */
export interface OwnServers {
  readonly kafka: boolean;
  readonly temporal: boolean;
}

/** Servers are started unless the environment names some. */
export function ownServersBy(env: NodeJS.ProcessEnv): OwnServers {
  return { kafka: (env['KAFKA_BROKERS'] ?? '') === '', temporal: !namesTemporal(env) };
}

/** Brokers that the environment names; undefined without any. @throws FedloopError `InvalidConfig` as `readEnvironment` */
export function namedBrokers(env: NodeJS.ProcessEnv): readonly string[] | undefined {
  return readEnvironment(withoutOthers(env, ownServersBy(env)).env).KAFKA_BROKERS;
}

/** An environment, and the names of what is left out of it. */
export interface CleanedEnvironment {
  readonly env: NodeJS.ProcessEnv;
  readonly ignored: readonly string[];
}

/**
 * Leave out addresses and credentials of other servers: in a shell they stand for a broker or a cluster elsewhere, and servers of our own
 * would refuse whoever uses them.
 */
export function withoutOthers(env: NodeJS.ProcessEnv, own: OwnServers): CleanedEnvironment {
  const prefixes = [...(own.kafka ? ['KAFKA_'] : []), ...(own.temporal ? ['TEMPORAL_'] : [])];
  const isOthers = (name: string): boolean => prefixes.some((prefix) => name.startsWith(prefix));
  const entries = Object.entries(env);
  return {
    env: Object.fromEntries(entries.filter(([name]) => !isOthers(name))),
    ignored: entries.filter(([name, value]) => isOthers(name) && (value ?? '') !== '').map(([name]) => name),
  };
}

/** What a server needs to run: where programs, libraries and temporary files are, language and zone. */
const OF_SERVERS =
  /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_\w+|TZ|TMPDIR|TEMP|TMP|JAVA_HOME|JAVA_TOOL_OPTIONS|JDK_JAVA_OPTIONS|(DY)?LD_\w+|MALLOC_\w+|GO(GC|MEMLIMIT|MAXPROCS|DEBUG))$/;

/** The environment of a server of our own. Whoever looks into it (`ps e`, a crash report) finds no secret of the user's. */
export function serverEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => OF_SERVERS.test(name)));
}
