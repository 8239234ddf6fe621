import { environmentSchema } from '../../../core/contracts/config';
import { DEFAULT_FLEET } from '../../../core/contracts/ids';
import { DEFAULT_STREAM_SETTINGS } from '../../../core/contracts/settings';
import { TOPICS } from '../../../core/contracts/topics';
import { followDeployments } from '../../../core/model/deployments';
import { silentLogger } from '../../../core/platform/log';
import { agreeOnSettings } from '../../../workers/agree-on-settings';
import { MemoryKafka } from '../fleet/memory-kafka';

/** A broker with the topics of a deployment; those that are named have a record. */
function brokerWith(filled: readonly string[]): MemoryKafka {
  const kafka = new MemoryKafka(Object.fromEntries(Object.values(TOPICS).map(({ name }) => [name, 1])));
  for (const name of filled) kafka.append(name, [{ key: null, value: 'x', partition: 0 }]);
  return kafka;
}

const agree = (kafka: MemoryKafka): ReturnType<typeof agreeOnSettings> =>
  agreeOnSettings({
    kafka,
    env: environmentSchema.parse({}),
    log: silentLogger(),
    plan: { fleet: DEFAULT_FLEET, settings: DEFAULT_STREAM_SETTINGS, measuresTolerance: false },
    onRunning: 'compare',
    onNew: 'log',
    measure: () => Promise.reject(new Error('there is nothing to measure')),
  });

describe('a fleet without logged settings', () => {
  it.each([
    ['that is new', []],
    ['into one of whose topics a stranger has written', [TOPICS.analysis.name]],
  ])('%s logs them', async (_, filled) => {
    const kafka = brokerWith(filled);
    expect(await agree(kafka)).toEqual(DEFAULT_STREAM_SETTINGS);
    expect(kafka.records(TOPICS.deployments.name)[0]).toHaveLength(1);
  });

  it('that has run is refused: what it deployed is gone', async () => {
    const kafka = brokerWith([TOPICS.checkpoints.name, TOPICS.analysis.name]);
    await expect(agree(kafka)).rejects.toMatchObject({
      code: 'InvalidData',
      message: expect.stringContaining('model-deployments no longer has its settings') as string,
    });
    expect(kafka.records(TOPICS.deployments.name)[0]).toEqual([]);
  });

  it('that has run is refused to a worker without a deployment file too, which would go on with the defaults', async () => {
    const kafka = brokerWith([TOPICS.checkpoints.name, TOPICS.analysis.name]);
    await expect(followDeployments(kafka, silentLogger())).rejects.toMatchObject({
      code: 'InvalidData',
      hint: expect.stringContaining('another fleet name') as string,
    });
  });

  it('whose record of settings is damaged is refused by its key, with what to do', async () => {
    const kafka = brokerWith([]);
    kafka.append(TOPICS.deployments.name, [{ key: 'settings', value: '{"type":"settings"}', partition: 0 }]);
    const refusal = {
      code: 'InvalidConfig',
      message: expect.stringContaining('the record "settings" of model-deployments') as string,
      hint: 'Write it again from a copy of the topic.',
    };
    await expect(agree(kafka)).rejects.toMatchObject(refusal);
    await expect(followDeployments(kafka, silentLogger())).rejects.toMatchObject(refusal);
  });
});
