import { startIngest } from '../core/ingest/service';
import { type Role } from './role';

/** Messages of a topic or an MQTT server, of any shape, as canonical events. */
export const ingestRole: Role = async ({ env, log, kafka, deployments, registry }) =>
  startIngest({ kafka, env, settings: deployments.settings(), log, registry });
