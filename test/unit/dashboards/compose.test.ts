import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import Ajv from 'ajv';
import addFormats from 'ajv-formats';
import { parse } from 'yaml';
import { z } from 'zod';
import { environmentSchema } from '../../../core/contracts/config';
import { needsIngest } from '../../../core/contracts/source';
import { readDeploymentFile } from '../../../core/platform/deployment-file';
import { fleetSettingsFrom } from '../../../fleet/settings';

const ROOT = resolve(__dirname, '../../..');
const content: unknown = parse(readFileSync(resolve(ROOT, 'compose.yaml'), 'utf8'), { merge: true });
const compose = z
  .object({
    services: z.record(
      z.string(),
      z.object({
        image: z.string(),
        command: z.array(z.string()).optional(),
        ports: z.array(z.string()).default([]),
        volumes: z.array(z.string()).default([]),
        environment: z.record(z.string(), z.string()).default({}),
        healthcheck: z.object({ test: z.array(z.string()) }),
        depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
      }),
    ),
    volumes: z.record(z.string(), z.unknown()),
  })
  .parse(content);
const services = Object.entries(compose.services);
const workers = services.filter(([, { command }]) => command?.[0] === 'worker');

describe('compose.yaml', () => {
  it('is valid by the Compose Specification', () => {
    const schema = z
      .record(z.string(), z.unknown())
      .parse(JSON.parse(readFileSync(resolve(ROOT, 'test/support/compose-spec/compose-spec.json'), 'utf8')));
    const ajv = addFormats(new Ajv({ strict: false, allErrors: true }), ['duration', 'uri']);
    // Its dialect, draft 7, is ajv's own; under the name with https ajv would want to fetch it.
    Reflect.deleteProperty(schema, '$schema');
    const valid = ajv.compile(schema);
    valid(content);
    expect(valid.errors).toBeNull();
  });

  it('has the servers, and a worker of every role', () => {
    expect(Object.keys(compose.services)).toEqual(
      expect.arrayContaining(['temporal', 'kafka', 'prometheus', 'grafana']),
    );
    expect(workers.map(([, { command }]) => command?.[1]).sort()).toEqual([
      'analytics',
      'fleet',
      'ingest',
      'rounds',
      'site',
      'stream',
    ]);
  });

  it.each(services)('%s is pinned, watched, and published on loopback alone', (_, service) => {
    expect(service.image).toMatch(/:v?\d+\.\d+\.\d+$/);
    expect(service.healthcheck.test[0]).toBe('CMD');
    for (const port of service.ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
  });

  it.each(services)('%s mounts what is there, and waits for services that are', (_, service) => {
    for (const volume of service.volumes) {
      const [source = ''] = volume.split(':');
      if (source.startsWith('.'))
        expect({ source, there: existsSync(resolve(ROOT, source)) }).toEqual({ source, there: true });
      else expect(Object.keys(compose.volumes)).toContain(source);
    }
    for (const [name, { condition }] of Object.entries(service.depends_on)) {
      expect(Object.keys(compose.services)).toContain(name);
      expect(condition).toBe('service_healthy');
    }
  });

  it.each(workers)('gives the worker %s an environment that it understands', (_, { environment }) => {
    const { FEDLOOP_SIMULATION: fleet, TEMPORAL_ADDRESS: temporal, ...own } = environment;
    expect(temporal).toBe('temporal:7233');
    for (const name of Object.keys(own)) expect(Object.keys(environmentSchema.shape)).toContain(name);
    expect(environmentSchema.safeParse(own).error).toBeUndefined();
    if (fleet !== undefined) expect(fleetSettingsFrom({ FEDLOOP_SIMULATION: fleet }).devices).toBe(2_407);
  });

  it('scrapes every worker where it listens', () => {
    const { scrape_configs: jobs } = z
      .object({
        scrape_configs: z.array(
          z.object({
            job_name: z.string(),
            dns_sd_configs: z.array(z.object({ names: z.array(z.string()), port: z.int() })).optional(),
          }),
        ),
      })
      .parse(parse(readFileSync(resolve(ROOT, 'dashboards/prometheus.yml'), 'utf8')));
    for (const job of ['fedloop', 'temporal-sdk']) {
      const [found] = jobs.find(({ job_name }) => job_name === job)?.dns_sd_configs ?? [];
      expect([...(found?.names ?? [])].sort()).toEqual(workers.map(([name]) => name).sort());
      for (const [, { environment }] of workers)
        expect(environment['FEDLOOP_HTTP_PORT']).toBe(String(found?.port));
    }
  });

  it('has no password in it: those that a worker needs come from the environment', () => {
    const secrets = services.flatMap(([, { environment }]) =>
      Object.entries(environment).filter(([name]) => /PASSWORD|SECRET|TOKEN/i.test(name)),
    );
    expect(secrets).toEqual([['FEDLOOP_MQTT_PASSWORD', '${FEDLOOP_MQTT_PASSWORD:-}']]);
  });

  it('gives every worker the deployment file that the environment names, where it names one', async () => {
    for (const [, { environment, volumes }] of workers) {
      expect(environment['FEDLOOP_CONFIG']).toBe('${FEDLOOP_CONFIG:-}');
      expect(volumes).toContain('./deploy/fleet:/etc/fedloop:ro');
    }
    const plan = await readDeploymentFile(resolve(ROOT, 'deploy/fleet/fedloop.yaml'));
    expect(needsIngest(plan.settings.source)).toBe(true);
  });
});
