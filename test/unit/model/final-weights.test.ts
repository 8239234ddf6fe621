import { join } from 'node:path';
import { z } from 'zod';
import { untrainedLineage, type DeploymentMessage } from '../../../core/contracts/deployments';
import { TOPICS } from '../../../core/contracts/topics';
import { modelMessage, stageMessage } from '../../../core/model/deployment-messages';
import { followDeployments, logDeployment } from '../../../core/model/deployments';
import { silentLogger } from '../../../core/platform/log';
import { openWarehouse } from '../../../core/warehouse/database/open';
import { Sink } from '../../../core/warehouse/sink/sink';
import { untrainedModel } from '../../support/task';
import { MemoryKafka } from '../fleet/memory-kafka';
import { temporaryFolder } from '../warehouse/helpers';

const TOPIC = TOPICS.deployments.name;
const hashRow = z.object({ sha256: z.string() });
const AT = '2026-01-01T00:00:00.000Z';
const own = modelMessage(untrainedModel('v1'), untrainedLineage(1), AT);
const foreign = modelMessage(untrainedModel('v1', { seed: 9 }), untrainedLineage(1), AT);
const misfit = modelMessage(untrainedModel('v1', { inputs: 30 }), untrainedLineage(1), AT);
const staged: DeploymentMessage = stageMessage(
  { version: own.version, stage: 'candidate', round: 1, reason: 'a test' },
  AT,
);

/** Hash of v1 in a process, and in a warehouse, that have read these messages; and how many each has put aside. */
async function readBy(messages: readonly DeploymentMessage[]): Promise<{
  readonly process: readonly [string | undefined, number];
  readonly warehouse: readonly [string | undefined, number];
}> {
  const kafka = new MemoryKafka({ [TOPIC]: 1 });
  await logDeployment(await kafka.producer(), messages);
  const deployments = await followDeployments(kafka, silentLogger());
  const folder = temporaryFolder();
  const warehouse = await openWarehouse(join(folder.path, 'w.duckdb'));
  const connection = await warehouse.connect();
  const sink = await Sink.open(connection);
  const records = kafka
    .records(TOPIC)[0]!
    .map((record) => ({ ...record, key: record.key?.toString() ?? null }));
  const { aside } = await sink.store([{ topic: TOPIC, partition: 0, records }]);
  const [row] = await connection.rows(hashRow, 'SELECT sha256 FROM model_files');
  await warehouse.close();
  folder.remove();
  return {
    process: [deployments.find(own.version)?.message.sha256, deployments.refused],
    warehouse: [row?.sha256, Object.values(aside.counts).reduce((sum, count) => sum + count, 0)],
  };
}

describe('the weights of a version', () => {
  it('are final once it has a stage: another model under its name is put aside', async () => {
    const kept = [own.sha256, 1] as const;
    expect(await readBy([own, staged, foreign])).toEqual({ process: kept, warehouse: kept });
  });

  it('may be written again, as a step that is tried again does', async () => {
    const kept = [own.sha256, 0] as const;
    expect(await readBy([own, staged, own, staged])).toEqual({ process: kept, warehouse: kept });
  });

  it('may be replaced before it has one: its round was broken off', async () => {
    const kept = [own.sha256, 0] as const;
    expect(await readBy([foreign, own, staged])).toEqual({ process: kept, warehouse: kept });
  });

  it('are not kept from it by a model that does not fit the task', async () => {
    const { process, warehouse } = await readBy([misfit, staged, own]);
    expect([process[0], warehouse[0]]).toEqual([own.sha256, own.sha256]);
  });
});
