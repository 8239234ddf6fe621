/** Do a piece of work after all that was asked for before it. */
export type InTurn = <Result>(work: () => Promise<Result>) => Promise<Result>;

/** One queue: work is done one piece after the other, and one that fails does not stop the next. */
export function inTurn(): InTurn {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const done = last.then(() => work());
    // The caller gets a failure; the next piece of work must not get it a second time.
    last = done.catch(() => undefined);
    return done;
  };
}
