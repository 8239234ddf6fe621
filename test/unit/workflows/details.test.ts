import { markdownText } from '../../../workflows/markdown';
import { describeEvaluation, describeRounds } from '../../../workflows/details';
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
