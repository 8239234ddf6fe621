import { z } from 'zod';
import { DEFAULT_FLEET, fleetNameSchema, siteNameSchema } from './ids';
import { fleetNames } from './queues';
import { durationSchema } from './settings';

/**
 * How a process makes itself known to its Kafka brokers, and which it trusts. Files are PEM. None of them fits a broker that Fedloop has started
 * itself.
 */
const kafkaSecurityVariables = {
  KAFKA_TLS: z.enum(['true', 'false']).default('false'),
  /** Certificates that a broker's own must be signed by, where no public authority has signed it. */
  KAFKA_CA: z.string().optional(),
  /** Certificate and key of this process, for brokers that ask for one. */
  KAFKA_CERT: z.string().optional(),
  KAFKA_KEY: z.string().optional(),
  KAFKA_KEY_PASSWORD: z.string().optional(),
  KAFKA_SASL_MECHANISM: z.string().transform(mechanismOf).optional(),
  KAFKA_SASL_USERNAME: z.string().optional(),
  KAFKA_SASL_PASSWORD: z.string().optional(),
  /** File with a token, read again at each login. */
  KAFKA_OAUTH_TOKEN_FILE: z.string().optional(),
  /** Where a token is asked for with client credentials (RFC 6749, 4.4). */
  KAFKA_OAUTH_TOKEN_URL: z.url({ protocol: /^https?$/ }).optional(),
  KAFKA_OAUTH_CLIENT_ID: z.string().optional(),
  KAFKA_OAUTH_CLIENT_SECRET: z.string().optional(),
  KAFKA_OAUTH_SCOPE: z.string().optional(),
};
export const KAFKA_SECURITY_VARIABLES: readonly string[] = Object.keys(kafkaSecurityVariables);

const MECHANISMS = ['plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer'] as const;
export type SaslMechanism = (typeof MECHANISMS)[number];

/** Brokers, tools and clouds spell mechanisms in their own ways: `SCRAM_SHA_256`, `scram-sha256`. */
function mechanismOf(text: string, context: z.RefinementCtx): SaslMechanism {
  const letters = lettersOf(text);
  const found = MECHANISMS.find((mechanism) => lettersOf(mechanism) === letters);
  if (found !== undefined) return found;
  context.addIssue({ code: 'custom', message: `expected one of ${MECHANISMS.join(', ')}` });
  return z.NEVER;
}

function lettersOf(text: string): string {
  return text.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
}

/** Environment variables that a process reads; everything has a default, so that a deployment is only environment variables. */
export const environmentSchema = z.object({
  KAFKA_BROKERS: z.string().min(1).transform(partsOf).optional(),
  ...kafkaSecurityVariables,
  /** User and password at the MQTT server of `source.mqtt`. */
  FEDLOOP_MQTT_USERNAME: z.string().optional(),
  FEDLOOP_MQTT_PASSWORD: z.string().optional(),
  /** File of certificates (PEM) that the MQTT server's own must be signed by, where no public authority has signed it. */
  FEDLOOP_MQTT_CA: z.string().optional(),
  /** A worker that has not been heard of for so long has lost its partitions to others. */
  FEDLOOP_SESSION_TIMEOUT: durationSchema.prefault('10s'),
  /** Name of the fleet: several can share a broker and a namespace. */
  FEDLOOP_FLEET: z
    .string()
    .refine((text) => !text.trimStart().startsWith('{'), {
      error: 'it is the name of a fleet; settings of the simulated fleet belong into FEDLOOP_SIMULATION',
      abort: true,
    })
    .pipe(fleetNameSchema)
    .default(DEFAULT_FLEET),
  /** Deployment file that this process obeys: `fedloop.yaml`. */
  FEDLOOP_CONFIG: z.string().optional(),
  /** Put before every topic and group name; left out, it follows from the fleet's name. */
  FEDLOOP_TOPIC_PREFIX: z
    .string()
    .regex(/^[a-zA-Z0-9._-]{0,100}$/)
    .optional(),
  FEDLOOP_PARTITIONS: z.coerce.number().int().min(1).max(10_000).default(4),
  FEDLOOP_SITE: siteNameSchema.default(siteNameSchema.parse('main')),
  /** Devices of this site: those whose id starts with one of these, comma-separated; empty = all. */
  FEDLOOP_SITE_PREFIXES: z
    .string()
    .default('')
    .transform((text) => partsOf(text).filter((prefix) => prefix !== '')),
  FEDLOOP_WAREHOUSE: z.string().min(1).default('.fedloop/warehouse.duckdb'),
  /** How long rows of windows and forecasts are kept, by event time; what was counted of them stays. */
  FEDLOOP_RETENTION: durationSchema.prefault('30d'),
  FEDLOOP_PROCESSED: z.string().min(1).default('processed'),
  FEDLOOP_MODELS: z.string().min(1).default('models/global'),
  /** Folder of strategies of one's own that the rounds worker may load; left out: none. */
  FEDLOOP_STRATEGIES: z.string().min(1).optional(),
  /** Where `/metrics`, `/healthz` and the analytics worker's questions listen; port 0 = any free one. */
  FEDLOOP_HTTP_HOST: z.string().min(1).default('127.0.0.1'),
  /** Names with a dot that workers are reached by, comma-separated, where they listen beyond loopback; others are refused (DNS rebinding). */
  FEDLOOP_HTTP_NAMES: z
    .string()
    .default('')
    .transform((text) => partsOf(text.toLowerCase()).filter((name) => name !== '')),
  FEDLOOP_HTTP_PORT: z.coerce.number().int().min(0).max(65_535).default(0),
  /**
   * What whoever asks the analytics worker's `/sql` has to send; left out, the worker makes one in a file beside its warehouse.
   * `off`: whoever reaches the port may ask.
   */
  FEDLOOP_SQL_TOKEN: z
    .string()
    .regex(/^(off|[\x21-\x7e]{16,200})$/, 'a token has 16 to 200 visible ASCII characters; off means none')
    .optional(),
  /** File with the private Ed25519 key (PEM) that models, stages and settings are signed with, for the processes that deploy. */
  FEDLOOP_SIGNING_KEY: z.string().optional(),
  /** Files with public keys (PEM), comma-separated: models, stages and settings that none of them has signed are refused. */
  FEDLOOP_TRUSTED_KEYS: z
    .string()
    .transform((text) => partsOf(text).filter((file) => file !== ''))
    .refine((files) => files.length > 0, 'it names no file')
    .optional(),
  /** Input (JSON) that the first stream worker starts `continuousEvaluation` with. */
  FEDLOOP_EVALUATION: z.string().optional(),
  /** Release of the code that runs workflows: turns Temporal's worker versioning on. */
  FEDLOOP_BUILD_ID: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, 'a build id has 1 to 100 letters, digits, ., _ and -')
    .optional(),
  /** File of a JavaScript module that exports `payloadCodecs`: encodes what Temporal keeps, such as by encryption. */
  FEDLOOP_PAYLOAD_CODEC: z.string().optional(),
  FEDLOOP_LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  /** Threads of onnxruntime and of training activities; 0 = one a core. */
  FEDLOOP_THREADS: z.coerce.number().int().min(0).max(1_024).default(0),
});
export type Environment = z.infer<typeof environmentSchema>;

/** What the process's topics and groups begin with. */
export function topicPrefixOf({
  FEDLOOP_FLEET: fleet,
  FEDLOOP_TOPIC_PREFIX: prefix,
}: Pick<Environment, 'FEDLOOP_FLEET' | 'FEDLOOP_TOPIC_PREFIX'>): string {
  return prefix ?? fleetNames(fleet).topicPrefix;
}

function partsOf(list: string): string[] {
  return list.split(',').map((part) => part.trim());
}
