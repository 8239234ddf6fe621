import { suggestedWindow } from '../../../core/contracts/readiness';

describe('the window that status advises', () => {
  it('is a window with four readings for a sensor that sends once a minute', () => {
    expect(suggestedWindow(60, 60)).toBe(300);
    expect(suggestedWindow(5, 150)).toBe(300);
    expect(suggestedWindow(86_400, 86_400)).toBeNull();
  });
});
