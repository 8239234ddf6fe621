import fc from 'fast-check';
import { deploymentFileSchema, planDeployment } from '../../../../core/contracts/deployment-file';
import { checkSample } from '../../../../cli/check/check-sample';
import { parseMessage } from '../../../../core/ingest/message';
import { understand, type Understanding } from '../../../../core/ingest/inspect/understand';
import { fleetSpecs, type ShapedFleet, shapedFleet } from '../../../support/fleet-shapes';

function understood({ messages, hints }: ShapedFleet): Understanding {
  const sample = messages.map((text) => {
    const parsed = parseMessage(Buffer.from(text));
    if ('reject' in parsed) throw new Error(parsed.reject.detail);
    return { value: parsed.value, partition: undefined };
  });
  const finding = understand(sample, hints, {
    topic: undefined,
    keepsOrder: true,
    fleet: undefined,
    tolerance: undefined,
  });
  if ('found' in finding) return finding.found;
  throw new Error(`${finding.question.unclear}\n${messages.slice(0, 2).join('\n')}`);
}

describe('a fleet that a sample shows', () => {
  it('is described so that every reading of every device is found again', async () => {
    await fc.assert(
      fc.asyncProperty(fleetSpecs, async (spec) => {
        const fleet = shapedFleet(spec);
        const { file } = understood(fleet);
        const { settings } = planDeployment(deploymentFileSchema.parse(file));
        const messages = fleet.messages.map((text) => ({
          bytes: Buffer.from(text),
          partition: undefined,
          recordMillis: undefined,
        }));
        const checked = await checkSample({ messages, keepsOrder: true }, settings);
        const { readings, devices, accepted } = checked;
        expect({ readings, devices, accepted }).toEqual({
          readings: fleet.readings,
          devices: fleet.devices,
          accepted: fleet.readings - fleet.missing,
        });
        const rejected = [...checked.rejected.values()].reduce((sum, { count }) => sum + count, 0);
        expect(rejected).toBe(fleet.missing + fleet.others);
        expect(settings.task.target.missing ?? []).toEqual(
          fleet.sentinel === undefined ? [] : [fleet.sentinel],
        );
      }),
      { numRuns: Number(process.env['RUNS'] ?? 60) },
    );
  });
});
