import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FedloopError } from '../../../core/contracts/errors';
import { reasonOf, temporalConfig } from '../../../workers/temporal-config';
import { temporaryFolder } from '../warehouse/helpers';

const folder = temporaryFolder();
const file = join(folder.path, 'temporal.toml');
writeFileSync(
  file,
  '[profile.default]\naddress = "one:7233"\n[profile.cloud]\naddress = "two:7233"\nnamespace = "fleet"\n',
);
afterAll(() => {
  folder.remove();
});

describe('where Temporal is', () => {
  it('comes from the file’s default profile, from the one that is named, or from a variable, which wins', () => {
    const config = (variables: Readonly<Record<string, string>>) =>
      temporalConfig({ TEMPORAL_CONFIG_FILE: file, ...variables });
    expect(config({}).connectionOptions.address).toBe('one:7233');
    expect(config({ TEMPORAL_PROFILE: 'cloud' })).toMatchObject({
      connectionOptions: { address: 'two:7233' },
      namespace: 'fleet',
    });
    expect(config({ TEMPORAL_ADDRESS: 'three:7233' }).connectionOptions.address).toBe('three:7233');
  });

  it('is refused by name for a profile that is not there', () => {
    const asked = { TEMPORAL_CONFIG_FILE: file, TEMPORAL_PROFILE: 'nobody' };
    expect(() => temporalConfig(asked)).toThrow(FedloopError);
    expect(() => temporalConfig(asked)).toThrow(
      /Temporal’s configuration can’t be read: .*'nobody' not found/,
    );
  });

  it('is refused for a file that is not there, instead of looking on this machine', () => {
    expect(() => temporalConfig({ TEMPORAL_CONFIG_FILE: '/nowhere.toml' })).toThrow(
      'TEMPORAL_CONFIG_FILE: there is no file /nowhere.toml',
    );
  });
});

it('the reason why a server cannot be reached is told in its own words', () => {
  const wrapped =
    'tonic::transport::Error(Transport, ConnectError(ConnectError("tcp connect error", 127.0.0.1:7233, Os { code: 111, kind: ConnectionRefused, message: "Connection refused" })))';
  expect(reasonOf(new Error(wrapped))).toBe('Connection refused');
  expect(reasonOf(new Error('deadline has elapsed'))).toBe('deadline has elapsed');
});
