import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageFile } from '../../../cli/shared/package-root';
import { cacheFolder, obtainOnce } from '../../../cli/servers/cache';
import { findJava, javaMajor } from '../../../cli/servers/java';
import { kafkaProperties } from '../../../cli/servers/kafka-properties';
import { kafkaVersion } from '../../../cli/servers/obtain-kafka';
import { answers, freePorts, requireFree, splitAddress } from '../../../cli/servers/ports';
import { prometheusConfig, scrapeTargets } from '../../../cli/servers/prometheus-config';
import { clusterId, requireBroker } from '../../../cli/servers/start-kafka';
import { connectTemporal, namesTemporal } from '../../../cli/servers/temporal-client';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fedloop-cli-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('obtaining a server', () => {
  it('happens once, however many want it at the same time', async () => {
    const file = join(folder, 'server');
    let obtained = 0;
    let waited = 0;
    const want = (): Promise<string> =>
      obtainOnce({
        cache: folder,
        name: 'server',
        find: () => readFile(file, 'utf8').catch(() => undefined),
        obtain: async () => {
          obtained += 1;
          await writeFile(file, 'there');
          return 'there';
        },
        onWait: () => {
          waited += 1;
        },
      });
    expect(await Promise.all([want(), want(), want()])).toEqual(['there', 'there', 'there']);
    expect(obtained).toBe(1);
    expect(waited).toBe(2);
  });

  it('is tried again by the next one when it failed', async () => {
    const want = (obtain: () => Promise<string>): Promise<string> =>
      obtainOnce({
        cache: folder,
        name: 'server',
        find: () => Promise.resolve(undefined),
        obtain,
        onWait: () => undefined,
      });
    await expect(want(() => Promise.reject(new Error('no network')))).rejects.toThrow('no network');
    expect(await want(() => Promise.resolve('there'))).toBe('there');
  });

  it('keeps it where FEDLOOP_CACHE says', () => {
    expect(cacheFolder({ FEDLOOP_CACHE: '/shared/cache' })).toBe('/shared/cache');
    expect(cacheFolder({})).toBe(join(process.cwd(), '.fedloop'));
  });
});

describe('Kafka', () => {
  it('listens on loopback alone, keeps every record and starts groups at once', () => {
    const properties = kafkaProperties({ brokerPort: 1111, controllerPort: 2222, dataFolder: '/data' });
    expect(properties).toContain('listeners=PLAINTEXT://127.0.0.1:1111,CONTROLLER://127.0.0.1:2222\n');
    expect(properties).toContain('group.initial.rebalance.delay.ms=0\n');
    expect(properties).toContain('offsets.topic.num.partitions=1\n');
    expect(properties).toContain('log.retention.ms=-1\n');
  });

  it('has its version from the pom that Maven reads', async () => {
    expect(kafkaVersion(await readFile(packageFile('cli', 'servers', 'kafka', 'pom.xml'), 'utf8'))).toMatch(
      /^4\.1\.\d+$/,
    );
  });

  it('gets a cluster id that no tool can take for an option', () => {
    for (let time = 0; time < 500; time += 1) expect(clusterId()).toMatch(/^[A-Za-z0-9_][A-Za-z0-9_-]{21}$/);
  });

  it.each([
    ['openjdk version "17.0.15" 2025-04-15', 17],
    ['java version "1.8.0_392"', 8],
    ['openjdk version "25" 2025-09-16', 25],
    ['no such thing', undefined],
  ])('reads the version of Java in %j', (output, major) => {
    expect(javaMajor(output)).toBe(major);
  });

  it('asks for Java in one sentence when there is none', async () => {
    await expect(findJava({ PATH: folder })).rejects.toMatchObject({
      code: 'ServerUnavailable',
      message: 'Java is missing, which Kafka needs',
      hint: expect.stringContaining('Install Java 17') as unknown,
    });
  });

  it('reports at once that a wrong address does not answer', async () => {
    const [port] = await freePorts(1);
    await expect(requireBroker([`127.0.0.1:${port!}`], {})).rejects.toMatchObject({
      code: 'KafkaUnavailable',
    });
  });
});

describe('Temporal', () => {
  it('is not started when an address, a profile or a file names one', () => {
    expect(namesTemporal({ TEMPORAL_ADDRESS: 'cloud:7233' })).toBe(true);
    expect(namesTemporal({ TEMPORAL_PROFILE: 'prod' })).toBe(true);
    expect(namesTemporal({ TEMPORAL_ADDRESS: '' })).toBe(false);
  });

  it('is asked for by its address when it does not answer', async () => {
    const [port] = await freePorts(1);
    const address = `127.0.0.1:${port!}`;
    await expect(connectTemporal({ TEMPORAL_ADDRESS: address })).rejects.toMatchObject({
      code: 'ServerUnavailable',
      message: expect.stringContaining(address) as unknown,
    });
  }, 20_000);
});

describe('ports', () => {
  it('are different and free', async () => {
    const ports = await freePorts(5);
    expect(new Set(ports).size).toBe(5);
    await expect(requireFree(ports[0]!, '--ui-port')).resolves.toBe(ports[0]);
  });

  it('are refused by name when another program listens there', async () => {
    const server = createServer();
    const port = await new Promise<number>((resolve) => {
      server.listen(0, '127.0.0.1', () => {
        resolve((server.address() as { port: number }).port);
      });
    });
    await expect(requireFree(port, '--ui-port')).rejects.toMatchObject({
      code: 'PortInUse',
      hint: expect.stringContaining('--ui-port') as unknown,
    });
    expect(await answers(`127.0.0.1:${port}`, 1_000)).toBe(true);
    await new Promise((resolve) => server.close(resolve));
    expect(await answers(`127.0.0.1:${port}`, 1_000)).toBe(false);
  });

  it.each(['localhost', 'a:b', 'x:99999', ''])('are not read from %j', (text) => {
    expect(() => splitAddress(text)).toThrow('is not an address');
  });
});

describe('Prometheus', () => {
  it('scrapes every worker under a name that people know, from a file that it reads again', () => {
    const config = prometheusConfig({ targets: '/run/targets.json', rules: '/fedloop/rules.yml' });
    expect(config).toContain('files: ["/run/targets.json"]');
    expect(config).toContain('rule_files: ["/fedloop/rules.yml"]');
    expect(
      JSON.parse(scrapeTargets([{ job: 'fedloop', instance: 'site', url: 'http://127.0.0.1:4711/metrics' }])),
    ).toEqual([
      {
        targets: ['127.0.0.1:4711'],
        labels: { job: 'fedloop', instance: 'site', __metrics_path__: '/metrics' },
      },
    ]);
  });
});
