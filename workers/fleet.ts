import { startFleetService } from '../fleet/service';
import { fleetSettingsFrom } from '../fleet/settings';
import { type Role } from './role';

/** A simulated fleet that replays recorded series as device events; `FEDLOOP_SIMULATION` holds its settings as JSON. */
export const fleetRole: Role = async ({ env, log, kafka, deployments, registry }) =>
  startFleetService({
    kafka,
    env,
    settings: fleetSettingsFrom(process.env),
    stream: deployments.settings(),
    log,
    registry,
  });
