import { type Command, Option } from 'commander';
import { type PreviewOptions } from '../actions/dashboard-preview';
import { jsonOption } from '../shared/options';
import { withSession } from '../system/session';

/** `fedloop dashboard preview`: the dashboards without a Grafana. */
export function registerDashboard(program: Command): void {
  const dashboard = program.command('dashboard').summary('the Grafana dashboards, without a Grafana');
  dashboard
    .command('preview')
    .argument('[files...]', 'dashboards as JSON; all that Fedloop ships when left out')
    .summary('draw dashboards from a Prometheus into one HTML page')
    .description(
      'Runs every query of the dashboards’ panels and draws stats, time series, bars and tables into one page that loads nothing. Other features of dashboards need Grafana.',
    )
    .addOption(new Option('--prometheus <url>', 'address of Prometheus; of the running system when left out'))
    .addOption(
      new Option('--last <duration>', 'how far back to look, such as 15m; the run so far, or an hour'),
    )
    .addOption(new Option('--out <file>', 'where the page is written').default('dashboards.html'))
    .addOption(jsonOption())
    .action((files: readonly string[], options: PreviewOptions) =>
      withSession(async (session) => {
        const { previewDashboards } = await import('../actions/dashboard-preview.js');
        await previewDashboards(session, files, options);
      }),
    );
}
