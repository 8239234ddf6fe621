import { MICROS_PER_SECOND } from '../../../core/contracts/time';
import { roundLength, suggestedWindow } from '../../../core/contracts/window-choice';

function seconds(betweenReadings: number, betweenWindows = betweenReadings, isHeld = false): number {
  const [readings, windows] = [betweenReadings * MICROS_PER_SECOND, betweenWindows * MICROS_PER_SECOND];
  return suggestedWindow({ betweenReadings: readings, betweenWindows: windows, isHeld }) / MICROS_PER_SECOND;
}

describe('the window that fits how often devices send', () => {
  it('has four readings', () => {
    expect(seconds(60)).toBe(300);
    expect(seconds(10)).toBe(60);
  });

  it('has readings every time where they come in bursts', () => {
    expect(seconds(5, 150)).toBe(300);
  });

  it('has one reading where readings are held', () => {
    expect(seconds(60, 60, true)).toBe(60);
  });

  it('is never shorter than the default', () => {
    expect(seconds(1)).toBe(30);
  });

  it('is of whole days beyond a week', () => {
    expect(roundLength(7.5 * 86_400 * MICROS_PER_SECOND)).toBe(8 * 86_400 * MICROS_PER_SECOND);
  });
});
