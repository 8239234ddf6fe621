import { trainingSettingsSchema } from '../../../core/contracts/rounds';
import { ControlVariates, learnedBy, type Learned } from '../../../core/federation/training/control-variates';

const learned = (deviceId: string, delta: readonly number[], stepLength = 1): Learned => ({
  deviceId,
  delta: Float32Array.from(delta),
  stepLength,
});

const server = (control: readonly number[], movedBy: string): { control: Float32Array; movedBy: string } => ({
  control: Float32Array.from(control),
  movedBy,
});

/** Two devices have trained in the try `one`, and the server has learned of it. */
function afterOneRound(): ControlVariates {
  const controls = new ControlVariates();
  controls.corrections(['a', 'b'], null, 2);
  controls.learn('one', null, [learned('a', [1, 0]), learned('b', [4, 8], 4)]);
  return controls;
}

describe('control variates', () => {
  it('correct nothing while the server has none', () => {
    const controls = new ControlVariates();
    expect([...controls.corrections(['a', 'b'], null, 2)]).toEqual([0, 0, 0, 0]);
  });

  it('are what each device pulled a step, and correct by what the server says beyond it: by hand', () => {
    const controls = afterOneRound();
    // cₐ = [−1, 0], c_b = [−1, −2], and 0 of a device that has not trained.
    const corrections = controls.corrections(['b', 'new', 'a'], server([-0.5, -0.5], 'one'), 2);
    expect([...corrections]).toEqual([0.5, 1.5, -0.5, -0.5, 0.5, -0.5]);
    controls.learn('two', server([-0.5, -0.5], 'one'), [learned('a', [2, 1], 2)]);
    // cₐ ← [−1, 0] − [−0.5, −0.5] − [2, 1]/2
    expect([...controls.corrections(['a'], server([0, 0], 'two'), 2)]).toEqual([1.5, 0]);
  });

  it('of a try that the server has not learned of do not count', () => {
    const controls = afterOneRound();
    const moved = server([1, 1], 'another');
    expect([...controls.corrections(['a'], moved, 2)]).toEqual([1, 1]);
  });

  it('of a step that is tried again are learned once', () => {
    const controls = afterOneRound();
    const moved = server([0, 0], 'one');
    for (let attempt = 0; attempt < 2; attempt += 1) {
      expect([...controls.corrections(['a'], moved, 2)]).toEqual([1, 0]);
      controls.learn('two', moved, [learned('a', [3, 3])]);
    }
    expect([...controls.corrections(['a'], server([0, 0], 'two'), 2)]).toEqual([4, 3]);
  });

  it('are forgotten when the server forgets its own', () => {
    const controls = afterOneRound();
    controls.corrections(['a'], server([0, 0], 'one'), 2);
    controls.corrections(['a'], null, 2);
    expect([...controls.corrections(['a'], server([0, 0], 'three'), 2)]).toEqual([0, 0]);
  });

  it('go back to a device’s steps and learning rate', () => {
    const settings = trainingSettingsSchema.parse({ epochs: 2, batchSize: 10, learningRate: 0.5 });
    const device = { self_reported_accuracy: 1, self_reported_loss: 0, base_loss: 0 };
    const devices = [
      { ...device, device_id: 'a', rows: 30 },
      { ...device, device_id: 'b', rows: 4 },
    ];
    const found = learnedBy({ devices, leftOut: [], deltas: Float32Array.of(1, 2, 3, 4) }, settings);
    expect(found).toEqual([learned('a', [1, 2], 3), learned('b', [3, 4], 1)]);
  });
});
