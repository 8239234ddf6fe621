import { type SiteReport } from '../../core/contracts/site-reports';
import { TOPICS } from '../../core/contracts/topics';
import { updateKey } from '../../core/contracts/updates';
import { type Producer } from '../../core/platform/kafka';

/** Publish a site's reports to `model-updates`, where the aggregator and the other sites read them. */
export async function publishReports(producer: Producer, reports: readonly SiteReport[]): Promise<void> {
  await producer.send(
    TOPICS.updates.name,
    reports.map((report) => ({
      key: updateKey(
        report.type,
        report.round,
        report.site,
        ...('proposal' in report ? [report.proposal] : []),
      ),
      value: JSON.stringify(report),
    })),
  );
}
