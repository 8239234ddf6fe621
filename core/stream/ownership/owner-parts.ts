import { type Deployments } from '../../model/deployments';
import { type Logger } from '../../platform/log';
import { type Forecaster } from '../forecasts/forecaster';
import { type StreamMetrics } from '../metrics';
import { type Claims } from './claims';
import { type DevicePasts } from './history-snapshots';
import { type Outbox } from './outbox';

/** What the owners of all partitions work with. */
export interface OwnerParts {
  readonly claims: Pick<Claims, 'append'>;
  readonly pasts: Pick<DevicePasts, 'latest' | 'seed'>;
  readonly deployments: Pick<Deployments, 'inForce'>;
  readonly outbox: Outbox;
  readonly forecaster: Forecaster;
  readonly metrics: Pick<StreamMetrics, 'malformed' | 'rows'>;
  readonly log: Logger;
}
