import { startStreamService } from '../core/stream/service';
import { type Role } from './role';

/** Windows, verdicts and the live evaluation of every version in force. */
export const streamRole: Role = async ({ env, log, kafka, deployments, registry }) =>
  startStreamService({ kafka, env, settings: deployments.settings(), deployments, log, registry });
