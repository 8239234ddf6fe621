import { type DrawnDashboard } from './page';
import { type Mark } from './charts';
import { colours } from './colours';
import { type DashboardFile } from './dashboard-file';
import { panelBody } from './panel';
import { type Prometheus } from './prometheus';
import { legendOf, resolveQuery, type TimeRange } from './variables';

/** Run every query of a dashboard and draw its panels. */
export async function drawDashboard(
  file: DashboardFile,
  prometheus: Prometheus,
  range: TimeRange,
): Promise<DrawnDashboard> {
  const scrapeSeconds = await prometheus.scrapeSeconds();
  const marks = await marksOf(file, prometheus, range);
  const colourOf = colours();
  const bodies = new Map<number, string>();
  for (const panel of file.panels) {
    const results = await Promise.all(
      panel.targets.map(({ expr, instant }) => {
        const query = resolveQuery(expr, range, scrapeSeconds);
        return instant ? prometheus.now(query, range.to) : prometheus.over(query, range);
      }),
    );
    bodies.set(panel.id, panelBody({ panel, results, range, marks, colourOf }));
  }
  return { file, bodies };
}

/** Annotations whose value is their time in milliseconds. */
async function marksOf(file: DashboardFile, prometheus: Prometheus, range: TimeRange): Promise<Mark[]> {
  const marks = await Promise.all(
    file.annotations.list.map(async ({ expr, iconColor, titleFormat }) => {
      const series = await prometheus.now(resolveQuery(expr, range, 1), range.to);
      return series.flatMap(({ labels, samples }) =>
        samples.map(({ value }) => ({
          name: legendOf(titleFormat, labels),
          at: value / 1_000,
          colour: iconColor,
        })),
      );
    }),
  );
  return marks.flat().filter(({ at }) => at >= range.from && at <= range.to);
}
