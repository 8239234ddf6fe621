import { untrainedLineage, type DeploymentMessage } from '../../../core/contracts/deployments';
import { FedloopError } from '../../../core/contracts/errors';
import { DEFAULT_STREAM_SETTINGS } from '../../../core/contracts/settings';
import { acceptModel, readDeployment } from '../../../core/model/accept-deployment';
import { modelMessage } from '../../../core/model/deployment-messages';
import { modelForecaster } from '../../../core/stream/forecasts/model-forecaster';
import { FEATURES, untrainedModel } from '../../support/task';

const AT = '2020-01-01T00:00:00Z';
const message = modelMessage(untrainedModel('v1'), untrainedLineage(1), AT);
const bytesOf = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

describe('a message of model-deployments', () => {
  it('is read under its own key', () => {
    expect(readDeployment({ key: 'model/v1', value: bytesOf(message), offset: 0 })).toEqual(message);
    const settings: DeploymentMessage = { type: 'settings', settings: DEFAULT_STREAM_SETTINGS };
    expect(readDeployment({ key: 'settings', value: bytesOf(settings), offset: 0 }).type).toBe('settings');
  });

  it.each([
    ['under another key', 'model/v2', bytesOf(message)],
    ['without a key', null, bytesOf(message)],
    ['that is no JSON', 'model/v1', Buffer.from('{')],
    ['of a hundred megabytes', 'model/v1', Buffer.alloc(100 * 1024 * 1024, ' ')],
  ])('is refused %s', (_, key, value) => {
    expect(() => readDeployment({ key, value, offset: 0 })).toThrow(FedloopError);
  });
});

it('of a round that the log has no room for is refused, whatever else it says', () => {
  const late = { ...message, lineage: { ...message.lineage, round: 999_999_999 } };
  expect(() => readDeployment({ key: 'model/v1', value: bytesOf(late), offset: 1_000 })).toThrow(
    'is of round 999999999',
  );
  expect(
    readDeployment({
      key: 'model/v1',
      value: bytesOf({ ...late, lineage: { ...late.lineage, round: 300 } }),
      offset: 2,
    }),
  ).toBeDefined();
});

it.each([
  '',
  '{}',
  '{"strategy":"fedadam","steps":1,"vectors":{"m":"AADAfw=="},"evidence":[],"privacySpent":0}',
])('with the server state %j is refused, so that the one before it holds', (state) => {
  const value = { type: 'server-state', kind: 'current', round: 1, state };
  expect(() => readDeployment({ key: 'server-state/current', value: bytesOf(value), offset: 9 })).toThrow(
    /state/,
  );
});

describe('a deployed model', () => {
  it.each([
    ['with another hash', { ...message, sha256: 'a'.repeat(64) }, 'hash'],
    ['of another version', { ...message, version: untrainedModel('v2').metadata.version }, 'is v1'],
  ])('is refused %s', (_, changed, why) => {
    expect(() => acceptModel(changed)).toThrow(why);
  });
});

describe('versions in force', () => {
  it('are forecast beside one whose model is missing or has other inputs', async () => {
    const models = { v1: untrainedModel('v1'), v2: untrainedModel('v2', { inputs: 30 }) };
    const [v1, v2] = [models.v1.metadata.version, models.v2.metadata.version];
    const v3 = untrainedModel('v3').metadata.version;
    const missing: string[] = [];
    const forecaster = modelForecaster(
      (version) => (version === v1 ? models.v1 : version === v2 ? models.v2 : undefined),
      (version) => missing.push(version),
    );
    const request = { window: 0, versions: [v2, v1, v3], features: new Float32Array(2 * FEATURES), rows: 2 };
    const changes = await forecaster.forecast(request);
    await forecaster.forecast(request);
    await forecaster.release();
    expect([...changes].map(Number.isNaN)).toEqual([true, true, false, false, true, true]);
    expect(missing).toEqual([v2, v3]);
  });
});
