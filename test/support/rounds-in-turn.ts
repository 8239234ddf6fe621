import { NAMES } from './names';
import { type RoundWatch } from './round-watch';

/** Small rounds one after the other. @returns how many ended, once told to stop and the last has ended. */
export async function roundsInTurn(
  rounds: RoundWatch,
  until: AbortSignal,
  onEnd: (ended: number) => void = () => undefined,
): Promise<number> {
  let ended = 0;
  while (!until.aborted) {
    const round = await rounds.start(`${NAMES.roundId}-${ended}`, { participants: 20, windows: 1 });
    await rounds.resultOf(round);
    ended += 1;
    onEnd(ended);
  }
  return ended;
}
