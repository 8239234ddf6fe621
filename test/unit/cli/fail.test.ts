import { CommanderError } from 'commander';
import { FedloopError } from '../../../core/contracts/errors';
import { describeFailure } from '../../../cli/shared/fail';

describe('the one place that turns errors into exit codes', () => {
  const error = new FedloopError('ServerUnavailable', 'Java is missing,\n which Kafka needs', {
    hint: 'Install Java 17.',
    cause: new Error('spawn java ENOENT'),
  });

  it('says one sentence and what to do, without a stack', () => {
    const { text, exitCode } = describeFailure(error, false);
    expect(text).toBe('error: Java is missing, which Kafka needs\n       Install Java 17.\n');
    expect(exitCode).toBe(2);
  });

  it('shows stack and causes when asked to', () => {
    const { text } = describeFailure(error, true);
    expect(text).toContain('fail.test.ts');
    expect(text).toContain('caused by: Error: spawn java ENOENT');
  });

  it('ends with 130 after Ctrl-C', () => {
    expect(describeFailure(new FedloopError('Interrupted', 'stopped'), false)).toMatchObject({
      text: 'stopped\n',
      exitCode: 130,
    });
  });

  it('ends with 1 when the work itself failed, and for an unforeseen error', () => {
    expect(describeFailure(new FedloopError('TooFewWindows', 'nothing was measured'), false).exitCode).toBe(
      1,
    );
    expect(describeFailure(new TypeError('x is not a function'), false)).toMatchObject({
      exitCode: 1,
      text: expect.stringContaining('unforeseen') as unknown,
    });
  });

  it('adds nothing to commander’s message about a bad option', () => {
    expect(describeFailure(new CommanderError(1, 'commander.invalidArgument', 'bad'), false)).toEqual({
      text: '',
      exitCode: 2,
    });
    expect(describeFailure(new CommanderError(0, 'commander.helpDisplayed', 'help'), false)).toEqual({
      text: '',
      exitCode: 0,
    });
  });
});
