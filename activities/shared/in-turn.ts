/** Does work one piece after the other, in the order in which it was asked for; one that fails does not stop the next. */
export type InTurn = <Result>(work: () => Promise<Result>) => Promise<Result>;

export function inTurn(): InTurn {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const done = last.then(work);
    last = done.catch(() => undefined);
    return done;
  };
}
