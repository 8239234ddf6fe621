import { evaluationInput } from '../../../workers/evaluation-lease';

describe('the input that workers start the live evaluation with', () => {
  it('starts the first round by itself where nothing else is said', () => {
    expect(evaluationInput(undefined).firstRound).toBe('auto');
    expect(evaluationInput('').firstRound).toBe('auto');
    expect(evaluationInput('{"rollback": "off"}')).toMatchObject({ rollback: 'off', firstRound: 'auto' });
  });

  it('leaves the first round to people where FEDLOOP_EVALUATION says so', () => {
    expect(evaluationInput('{"firstRound": "off"}').firstRound).toBe('off');
  });

  it.each(['[]', '3', 'off', '{"firstRnd": "off"}'])('refuses %s, naming the variable', (text) => {
    expect(() => evaluationInput(text)).toThrow(/FEDLOOP_EVALUATION/);
  });
});
