import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Deployment, StatefulSet } from 'kubernetes-models/apps/v1';
import { ConfigMap, Secret, Service } from 'kubernetes-models/v1';
import * as yaml from 'yaml';
import { z } from 'zod';
import { deploymentRoles, WORKER_ROLES } from '../../../cli/system/worker-process';
import { planDeployment } from '../../../core/contracts/deployment-file';
import { parseDeploymentFile } from '../../../core/platform/deployment-file';
import { environmentSchema } from '../../../core/contracts/config';
import { siteNameSchema } from '../../../core/contracts/ids';

/** `deploy/kubernetes/fedloop.yaml` against Kubernetes' own schemas, and against what workers read. */
const KINDS = { ConfigMap, Secret, Service, Deployment, StatefulSet };

const manifest = z.looseObject({
  kind: z.enum(['ConfigMap', 'Secret', 'Service', 'Deployment', 'StatefulSet']),
  metadata: z.looseObject({ name: z.string() }),
});
const labels = z.record(z.string(), z.string());
const workload = z.looseObject({
  kind: z.enum(['Deployment', 'StatefulSet']),
  metadata: z.looseObject({ name: z.string() }),
  spec: z.looseObject({
    replicas: z.int(),
    serviceName: z.string().optional(),
    selector: z.object({ matchLabels: labels }),
    template: z.looseObject({
      metadata: z.looseObject({ labels }),
      spec: z.looseObject({
        terminationGracePeriodSeconds: z.int(),
        containers: z
          .array(
            z.looseObject({
              args: z.tuple([z.literal('worker'), z.enum(WORKER_ROLES)]),
              env: z.array(z.object({ name: z.string(), value: z.string() })).default([]),
              envFrom: z.array(
                z.object({
                  configMapRef: z.object({ name: z.string() }).optional(),
                  secretRef: z.object({ name: z.string() }).optional(),
                }),
              ),
              volumeMounts: z.array(z.looseObject({ name: z.string(), mountPath: z.string() })),
            }),
          )
          .length(1),
        volumes: z.array(
          z.looseObject({ name: z.string(), configMap: z.object({ name: z.string() }).optional() }),
        ),
      }),
    }),
  }),
});
const variables = z.looseObject({
  data: z.record(z.string(), z.string()).optional(),
  stringData: z.record(z.string(), z.string()).optional(),
});

const documents = yaml
  .parseAllDocuments(readFileSync(join(__dirname, '../../../deploy/kubernetes/fedloop.yaml'), 'utf8'))
  .map((document) => manifest.parse(document.toJS()));
const workloads = documents.flatMap((document) => {
  const parsed = workload.safeParse(document);
  return parsed.success ? [parsed.data] : [];
});
/** The deployment file of the manifests, as workers read it. */
const file = variables.parse(documents.find(({ metadata }) => metadata.name === 'fedloop-deployment')).data?.[
  'fedloop.yaml'
];
const plan = planDeployment(parseDeploymentFile(file ?? '', 'fedloop.yaml', yaml));
const namesOf = (kind: string): string[] =>
  documents.filter((document) => document.kind === kind).map(({ metadata }) => metadata.name);

describe('the manifests for Kubernetes', () => {
  it.each(
    documents.map((document): [string, keyof typeof KINDS, unknown] => [
      `${document.kind} ${document.metadata.name}`,
      document.kind,
      document,
    ]),
  )('%s is valid by the schema of its kind', (_, kind, document) => {
    const Kind = KINDS[kind];
    expect(() => {
      new Kind(document as never).validate();
    }).not.toThrow();
  });

  it('are held against schemas that do refuse', () => {
    expect(() => {
      new Deployment({ metadata: { name: 'x' }, spec: { replicas: 'four' } } as never).validate();
    }).toThrow(/replicas/);
  });

  it('run every role of a deployment without a simulated fleet', () => {
    const roles = workloads.map(({ spec }) => spec.template.spec.containers[0]?.args[1]);
    expect([...roles].sort()).toEqual([...deploymentRoles(plan.settings.source)].sort());
  });

  it('set variables that workers know, to values that they take', () => {
    const named = documents.flatMap((document) => {
      if (document.metadata.name === 'fedloop-deployment') return [];
      const { data = {}, stringData = {} } = variables.parse(document);
      return Object.entries(document.kind === 'Secret' ? stringData : data);
    });
    const own = workloads.flatMap(({ spec }) =>
      (spec.template.spec.containers[0]?.env ?? []).map(({ name, value }) => [name, value] as const),
    );
    const all = [...named, ...own];
    const known = new Set(Object.keys(environmentSchema.shape));
    expect(
      all.map(([name]) => name).filter((name) => !known.has(name) && !name.startsWith('TEMPORAL_')),
    ).toEqual([]);
    expect(environmentSchema.safeParse(Object.fromEntries(all)).error).toBeUndefined();
  });

  it('refer to what is there: settings, secrets, services and the labels of their own pods', () => {
    for (const { spec } of workloads) {
      expect(spec.template.metadata.labels).toMatchObject(spec.selector.matchLabels);
      const sources = spec.template.spec.containers[0]?.envFrom ?? [];
      expect(sources.length).toBeGreaterThan(0);
      for (const { configMapRef, secretRef } of sources) {
        if (configMapRef !== undefined) expect(namesOf('ConfigMap')).toContain(configMapRef.name);
        if (secretRef !== undefined) expect(namesOf('Secret')).toContain(secretRef.name);
      }
      if (spec.serviceName !== undefined) expect(namesOf('Service')).toContain(spec.serviceName);
    }
  });

  it('give every worker the deployment file, where FEDLOOP_CONFIG says', () => {
    const { data = {} } = variables.parse(documents.find(({ metadata }) => metadata.name === 'fedloop'));
    for (const { spec } of workloads) {
      const { containers, volumes } = spec.template.spec;
      const volume = volumes.find(({ configMap }) => configMap?.name === 'fedloop-deployment');
      const mount = containers[0]?.volumeMounts.find(({ name }) => name === volume?.name);
      expect(`${mount?.mountPath ?? ''}/fedloop.yaml`).toBe(data['FEDLOOP_CONFIG']);
    }
  });

  it('tell the MQTT login to the ingest worker alone', () => {
    const knowing = workloads.filter(({ spec }) =>
      spec.template.spec.containers[0]?.envFrom.some(({ secretRef }) => secretRef?.name === 'fedloop-mqtt'),
    );
    expect(knowing.map(({ metadata }) => metadata.name)).toEqual(['fedloop-ingest']);
  });

  it('keep one of those that must stay alone, and give each time to drain', () => {
    for (const { kind, spec } of workloads) {
      if (kind === 'StatefulSet') expect(spec.replicas).toBe(1);
      // A worker takes up to 20 s to stop (workers/role.ts).
      expect(spec.template.spec.terminationGracePeriodSeconds).toBeGreaterThan(20);
    }
  });

  it('label a site with the name that it has', () => {
    const sites = workloads.filter(({ spec }) => spec.template.spec.containers[0]?.args[1] === 'site');
    for (const { spec } of sites) {
      const { env = [] } = spec.template.spec.containers[0] ?? {};
      const name = env.find((variable) => variable.name === 'FEDLOOP_SITE')?.value;
      expect(siteNameSchema.parse(name)).toBe(spec.template.metadata.labels['site']);
    }
    expect(sites.length).toBeGreaterThan(0);
  });
});
