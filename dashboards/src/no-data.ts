/** What panels show before there is data, and what to do. */

export const NOT_MEASURED =
  'Nothing measured yet: a first round makes a champion, and live windows measure it.';
export const NO_ROUND = 'No round has a result yet: fedloop round start';
