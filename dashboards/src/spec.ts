/** What a dashboard is made of, before it becomes Grafana's JSON. Widths are columns of Grafana's 24, heights its rows. */

export interface Query {
  readonly expr: string;
  /** Legend; `{{label}}` stands for a label's value. In tables and charts by category: the column's name. */
  readonly legend: string;
  /** For what means the same wherever it is drawn; else a colour is found by the name. */
  readonly colour?: Colour;
}

/** Differences of shares: the query gives them times 100. */
export const POINTS = 'suffix:points';

/** Legend of a query whose labels are wanted in a table, but not its value: that of an info metric is always 1. */
export const HIDDEN = '';

interface Common {
  readonly title: string;
  /** For the person who asks "what is this, and what should I do when it looks odd?" */
  readonly description: string;
  /** Grafana's name of a unit, such as `percentunit`. */
  readonly unit: string;
  readonly decimals?: number;
  /** What stands there when there is nothing to show, and what that means. */
  readonly noData: string;
  readonly width: number;
  readonly height: number;
}

export interface StatPanel extends Common {
  readonly kind: 'stat';
  readonly query: Query;
  /** `name`: the legend is what matters, as of an info metric. */
  readonly text?: 'value' | 'name';
  readonly thresholds?: Thresholds;
}

/** Colours from the value on that they are named with; `base` below the first. */
export interface Thresholds {
  readonly base: Colour;
  readonly steps: readonly { readonly from: number; readonly colour: Colour }[];
}

export type Colour = 'green' | 'yellow' | 'orange' | 'red' | 'blue' | 'purple' | 'gray' | 'text';

export interface TimeSeriesPanel extends Common {
  readonly kind: 'timeseries';
  readonly queries: readonly Query[];
  readonly stacked?: boolean;
  readonly min?: number;
  readonly max?: number;
}

/** One bar a series, as it stands now. */
export interface BarsPanel extends Common {
  readonly kind: 'bars';
  readonly queries: readonly Query[];
  /** Words and colours that stand for values. */
  readonly words?: Readonly<Record<number, { readonly text: string; readonly colour: Colour }>>;
  readonly min?: number;
  readonly max?: number;
}

/** In which order rows stand: by a label, as a number where it holds numbers. */
interface Ordered {
  /** The label that rows are joined by. */
  readonly by: string;
  /** A label of the first query to sort by, where it is not `by`. */
  readonly sortBy?: string;
  readonly newestFirst?: boolean;
}

/** Groups of bars: a category of the label's values, one bar a query in each. */
export interface GroupedBarsPanel extends Common, Ordered {
  readonly kind: 'grouped-bars';
  readonly queries: readonly Query[];
  readonly stacked?: boolean;
}

/** A row a value of the label, a column a query; `labels` are further columns, taken from the first query. */
export interface TablePanel extends Common, Ordered {
  readonly kind: 'table';
  readonly labels?: Readonly<Record<string, string>>;
  readonly queries: readonly (Query & { readonly unit?: string })[];
}

export interface TextPanel {
  readonly kind: 'text';
  readonly title: string;
  readonly description: string;
  readonly markdown: string;
  readonly width: number;
  readonly height: number;
}

export type Panel = StatPanel | TimeSeriesPanel | BarsPanel | GroupedBarsPanel | TablePanel | TextPanel;

export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

export interface DashboardSpec {
  /** Never changes: links and bookmarks go by it. */
  readonly uid: string;
  /** Name of the JSON file, without its ending. */
  readonly file: string;
  readonly title: string;
  readonly description: string;
  readonly rows: readonly Row[];
}
