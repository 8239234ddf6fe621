import {
  type ActivityInput,
  type ContinueAsNewInput,
  type LocalActivityInput,
  type StartChildWorkflowExecutionInput,
  type WorkflowExecuteInput,
} from '@temporalio/workflow';
import { type Headers } from '@temporalio/common';
import { TRACE_HEADER } from '../../../core/contracts/tracing';
import { interceptors } from '../../../workflows/pass-trace';

const trace: Headers = { [TRACE_HEADER]: { data: new Uint8Array([1]) } };
const another: Headers = { [TRACE_HEADER]: { data: new Uint8Array([2]) } };
const stranger: Headers = { tenant: { data: new Uint8Array([3]) } };

type Calls = NonNullable<ReturnType<typeof interceptors>['outbound']>[number];

/** How a run starts each of them with these headers; `take` is given the input that comes out. */
const STARTS: Readonly<
  Record<string, (calls: Calls, headers: Headers, take: (input: object) => Promise<undefined>) => unknown>
> = {
  'an activity': (calls, headers, take) => calls.scheduleActivity?.({ headers } as ActivityInput, take),
  'a local activity': (calls, headers, take) =>
    calls.scheduleLocalActivity?.({ headers } as LocalActivityInput, take),
  'a child workflow': (calls, headers, take) =>
    calls.startChildWorkflowExecution?.({ headers } as StartChildWorkflowExecutionInput, async (input) => {
      await take(input);
      return [Promise.resolve('its run'), Promise.resolve()];
    }),
  'the run that it continues as': (calls, headers, take) =>
    calls.continueAsNew?.({ headers } as ContinueAsNewInput, async (input) => {
      await take(input);
      return new Promise<never>(() => undefined);
    }),
};

/** What is started with `headers` by a run that was started with `given`. @returns its input. */
async function passedOn(what: string, given: Headers, headers: Headers = {}): Promise<unknown> {
  const { inbound: [execution] = [], outbound: [calls] = [] } = interceptors();
  const input = { args: ['its input'], headers: given } satisfies WorkflowExecuteInput;
  const run = jest.fn(() => Promise.resolve('its result'));
  expect(await execution?.execute?.(input, run)).toBe('its result');
  expect(run).toHaveBeenCalledWith(input);
  const take = jest.fn<Promise<undefined>, [object]>(() => Promise.resolve(undefined));
  STARTS[what]?.(calls ?? {}, headers, take);
  expect(take).toHaveBeenCalledTimes(1);
  return take.mock.calls[0]?.[0];
}

describe.each(Object.keys(STARTS))('%s', (what) => {
  it('gets the trace that its run was started in, and nothing else of its headers', async () => {
    expect(await passedOn(what, { ...trace, ...stranger })).toEqual({ headers: trace });
  });

  it('gets nothing from a run that was started without a trace', async () => {
    expect(await passedOn(what, stranger)).toEqual({ headers: {} });
  });

  it('keeps the headers that it has, a trace of its own included', async () => {
    expect(await passedOn(what, trace, stranger)).toEqual({ headers: { ...trace, ...stranger } });
    expect(await passedOn(what, trace, another)).toEqual({ headers: another });
  });
});
