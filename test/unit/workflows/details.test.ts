import { markdownText } from '../../../workflows/markdown';
import { describeEvaluation, describeProgress, describeRounds } from '../../../workflows/details';
import { HOSTILE_TEXTS, OBEYED } from '../../support/hostile-texts';

/** Marks that no backslash stands before: an even number of them is none. */
const BARE_MARK = /(?<!\\)(?:\\\\)*[`*_[\]<>|~&#]/;

describe.each(HOSTILE_TEXTS.map((text) => [JSON.stringify(text), text] as const))(
  '%s in Temporal’s UI',
  (_, text) => {
    it('is a line of text: no cell, link, tag, picture or code', () => {
      const shown = markdownText(text);
      expect(shown).not.toMatch(OBEYED);
      expect(shown).not.toMatch(/[\n\r]/);
      expect(shown).not.toMatch(BARE_MARK);
      expect(shown).not.toMatch(/:\/\/|www\./);
    });

    it('opens no further cell in a table', () => {
      const table = describeEvaluation({
        workers: [text],
        champion: null,
        accuracy: null,
        predecessorAccuracy: null,
        persistenceAccuracy: null,
        paused: text,
        checks: 0,
        rollbacks: 0,
        roundsAskedFor: 0,
        news: [{ at: '2026-01-01', what: text }],
      } as unknown as Parameters<typeof describeEvaluation>[0]);
      for (const line of table.split('\n').filter((part) => part !== ''))
        expect(line.match(/(?<!\\)(?:\\\\)*\|/g)).toHaveLength(3);
    });

    it('is text where a training waits', () => {
      expect(describeRounds([], 'none yet', text, text)).not.toMatch(BARE_MARK);
    });
  },
);

it('plain words stay as they are', () => {
  expect(markdownText('v3 is 1.25 points better (p < 0.05), says Ann: promote!')).toBe(
    'v3 is 1.25 points better (p \\< 0.05), says Ann: promote!',
  );
});

describe('where a round is', () => {
  const progress = {
    round: 2,
    step: 'approve',
    paused: null,
    waitsFor: null,
    champion: 'v1',
    candidate: 'v2',
    devicesTrained: 40,
    leftOut: {},
    accuracy: 0.8,
    change: 0.01,
    decision: null,
  } as unknown as Parameters<typeof describeProgress>[0];
  const facts = { startedBy: 'Ada', state: 'in a step', change: null, approval: null } as const;
  const stepOf = (
    of: Partial<typeof progress>,
    state: 'in a step' | 'between steps' | 'ended' = 'in a step',
  ) => /^\| Step \| (.*) \|$/m.exec(describeProgress({ ...progress, ...of }, { ...facts, state }))?.[1];

  it('is its step, and what a pause does there', () => {
    expect(stepOf({})).toBe('approve');
    expect(stepOf({ paused: 'a storm' })).toBe('paused at approve: a storm');
    expect(stepOf({ step: 'aggregate', paused: 'a storm' })).toBe('pauses after aggregate: a storm');
    expect(stepOf({ step: 'aggregate', paused: 'a storm' }, 'between steps')).toBe(
      'paused after aggregate: a storm',
    );
  });

  it('is said of one that has ended without a decision', () => {
    expect(stepOf({}, 'ended')).toBe('ended at approve, without a decision');
    expect(stepOf({ step: 'done' }, 'ended')).toBe('done');
  });
});
