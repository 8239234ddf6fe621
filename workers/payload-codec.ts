import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type DataConverter, type PayloadCodec } from '@temporalio/common';
import { FedloopError, messageOf } from '../core/contracts/errors';

/** What a module for `FEDLOOP_PAYLOAD_CODEC` exports. */
interface CodecModule {
  readonly payloadCodecs: PayloadCodec[];
}

/**
 * How payloads of Temporal are encoded, such as encrypted, by the module that `FEDLOOP_PAYLOAD_CODEC` names. Every worker and command of a
 * deployment needs the same one.
 * @returns nothing where none is named: payloads are JSON.
 * @throws FedloopError `InvalidConfig` for a module that cannot be loaded or exports no codecs.
 */
export async function payloadCodec(
  env: NodeJS.ProcessEnv,
): Promise<{ readonly dataConverter?: DataConverter }> {
  const named = env['FEDLOOP_PAYLOAD_CODEC'] ?? '';
  if (named === '') return {};
  const path = resolve(named);
  let loaded: unknown;
  try {
    loaded = await import(pathToFileURL(path).href);
  } catch (cause) {
    const message = `the module ${path} of FEDLOOP_PAYLOAD_CODEC cannot be loaded: ${messageOf(cause)}`;
    throw new FedloopError('InvalidConfig', message, { cause });
  }
  const found = [loaded, fieldOf(loaded, 'default')].find(isCodecModule);
  if (found !== undefined) return { dataConverter: { payloadCodecs: found.payloadCodecs } };
  throw new FedloopError('InvalidConfig', `the module ${path} of FEDLOOP_PAYLOAD_CODEC exports no codecs`, {
    hint: 'It must export payloadCodecs: a list of objects with the functions encode and decode (PayloadCodec of @temporalio/common).',
  });
}

function isCodecModule(value: unknown): value is CodecModule {
  const codecs = fieldOf(value, 'payloadCodecs');
  return Array.isArray(codecs) && codecs.length > 0 && codecs.every(isCodec);
}

function isCodec(value: unknown): value is PayloadCodec {
  return ['encode', 'decode'].every((name) => typeof fieldOf(value, name) === 'function');
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
