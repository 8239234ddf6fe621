import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FedloopError, messageWithHint } from '../../../core/contracts/errors';
import { readEnvironment } from '../../../core/platform/config';
import { connectKafka } from '../../../core/platform/kafka';
import { kafkaSecurity } from '../../../core/platform/kafka/kafka-security';
import { silentLogger } from '../../../core/platform/log';
import { Authority, lockKey } from '../../support/certificates';
import { describeWith, OPENSSL } from '../../support/requirements';
import { temporaryFolder } from '../warehouse/helpers';

type Variables = Readonly<Record<string, string>>;

const SECRET = 'a-secret-word';
const security = (variables: Variables) => kafkaSecurity(readEnvironment(variables));

async function refusal(variables: Variables): Promise<string> {
  const thrown: unknown = await security(variables).catch((cause: unknown) => cause);
  expect(thrown).toBeInstanceOf(FedloopError);
  expect(thrown).toMatchObject({ code: 'InvalidConfig' });
  expect(messageWithHint(thrown)).not.toContain(SECRET);
  return messageWithHint(thrown);
}

describe('the login at Kafka', () => {
  it.each([
    ['scram-sha-256', 'scram-sha-256'],
    ['SCRAM_SHA_512', 'scram-sha-512'],
    ['ScramSha256', 'scram-sha-256'],
    ['PLAIN', 'plain'],
    ['Plain', 'plain'],
  ])('takes the mechanism in any spelling: %s', async (spelling, mechanism) => {
    const { sasl } = await security({
      KAFKA_SASL_MECHANISM: spelling,
      KAFKA_SASL_USERNAME: 'alice',
      KAFKA_SASL_PASSWORD: SECRET,
    });
    expect(sasl).toEqual({ mechanism, username: 'alice', password: SECRET });
  });

  it('refuses a mechanism that there is not, and lists those that there are', () => {
    expect(() => readEnvironment({ KAFKA_SASL_MECHANISM: 'gssapi' })).toThrow(
      /KAFKA_SASL_MECHANISM.*plain, scram-sha-256, scram-sha-512, oauthbearer/,
    );
  });

  it.each<readonly [string, Variables, RegExp]>([
    [
      'a user without a mechanism',
      { KAFKA_SASL_USERNAME: 'alice', KAFKA_SASL_PASSWORD: SECRET },
      /KAFKA_SASL_USERNAME needs KAFKA_SASL_MECHANISM as well/,
    ],
    [
      'a password without a mechanism',
      { KAFKA_SASL_PASSWORD: SECRET },
      /KAFKA_SASL_PASSWORD needs KAFKA_SASL_MECHANISM/,
    ],
    [
      'a mechanism without a user',
      { KAFKA_SASL_MECHANISM: 'plain', KAFKA_SASL_PASSWORD: SECRET },
      /needs KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD/,
    ],
    [
      'a mechanism without a token',
      { KAFKA_SASL_MECHANISM: 'oauthbearer' },
      /needs KAFKA_OAUTH_TOKEN_FILE, or KAFKA_OAUTH_TOKEN_URL/,
    ],
    [
      'a client without its secret',
      {
        KAFKA_SASL_MECHANISM: 'oauthbearer',
        KAFKA_OAUTH_TOKEN_URL: 'https://a/token',
        KAFKA_OAUTH_CLIENT_ID: 'a',
      },
      /KAFKA_OAUTH_CLIENT_SECRET as well/,
    ],
    [
      'two ways to a token',
      {
        KAFKA_SASL_MECHANISM: 'oauthbearer',
        KAFKA_OAUTH_TOKEN_URL: 'https://a/token',
        KAFKA_OAUTH_TOKEN_FILE: '/a',
      },
      /both .* are set/,
    ],
    [
      'an authority without TLS',
      { KAFKA_CA: '/a' },
      /KAFKA_CA needs KAFKA_TLS as well. Set KAFKA_TLS to true/,
    ],
    [
      'a key without its certificate',
      { KAFKA_TLS: 'true', KAFKA_KEY: '/a' },
      /KAFKA_KEY needs KAFKA_CERT as well/,
    ],
    [
      'a certificate without its key',
      { KAFKA_TLS: 'true', KAFKA_CERT: '/a' },
      /KAFKA_CERT needs KAFKA_KEY as well/,
    ],
    [
      'a password of no key',
      { KAFKA_TLS: 'true', KAFKA_KEY_PASSWORD: SECRET },
      /KAFKA_KEY_PASSWORD needs KAFKA_KEY/,
    ],
    [
      'a file that is not there',
      { KAFKA_TLS: 'true', KAFKA_CA: '/nowhere.pem' },
      /KAFKA_CA names \/nowhere.pem, which cannot be read/,
    ],
    [
      'a file without certificates',
      { KAFKA_TLS: 'true', KAFKA_CA: __filename },
      /KAFKA_CA names .* which gives no certificates/,
    ],
  ])('refuses %s, at once', async (_what, variables, sentence) => {
    expect(await refusal(variables)).toMatch(sentence);
  });

  it('is checked before a broker is looked for', async () => {
    const env = readEnvironment({ KAFKA_BROKERS: '127.0.0.1:1', KAFKA_SASL_USERNAME: 'alice' });
    await expect(connectKafka(env, 'test', silentLogger())).rejects.toMatchObject({ code: 'InvalidConfig' });
  });
});

describeWith(OPENSSL, 'an own certificate', () => {
  const folder = temporaryFolder();
  const authority = Authority.make(folder.path, 'authority');
  const client = authority.sign('client');
  afterAll(() => {
    folder.remove();
  });
  const own = (more: Variables = {}): Variables => ({
    KAFKA_TLS: 'true',
    KAFKA_CERT: client.certificate,
    KAFKA_KEY: client.key,
    ...more,
  });

  it('is read with its key', async () => {
    const { tls } = await security(own({ KAFKA_CA: authority.certificate }));
    expect(tls).toEqual({
      ca: readFileSync(authority.certificate),
      cert: readFileSync(client.certificate),
      key: readFileSync(client.key),
    });
  });

  it('is refused with the key of another, or with a password that does not open it', async () => {
    expect(await refusal(own({ KAFKA_KEY: authority.sign('other').key }))).toMatch(/cannot be used with/);
    const locked = lockKey(client, 'right');
    expect(await refusal(own({ KAFKA_KEY: locked, KAFKA_KEY_PASSWORD: SECRET }))).toMatch(
      /cannot be used with/,
    );
    const none = join(folder.path, 'none.key');
    writeFileSync(none, 'no key');
    expect(await refusal(own({ KAFKA_KEY: none }))).toMatch(/cannot be used with/);
  });
});
