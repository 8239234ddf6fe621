import { championsGain, maxBy, ofLatestRound, ofServingVersions, points, ratePer, sumBy } from './promql';
import { HIDDEN, POINTS, type DashboardSpec } from './spec';
import { LAG_THRESHOLDS } from './stream';

const NOT_MEASURED = 'Nothing measured yet: a first round makes a champion, and live windows measure it.';
const NO_ROUND = 'No round has a result yet: fedloop round start';

/** The first look: what serves, how good it really is, what it gets wrong, and where. */
export const fleetDashboard: DashboardSpec = {
  uid: 'fedloop-fleet',
  file: 'fleet-and-accuracy',
  title: 'Fleet & accuracy',
  description:
    'Which version is live, how accurate it really is on readings that arrived after its forecasts, and which errors it makes.',
  rows: [
    {
      title: 'The champion',
      panels: [
        {
          kind: 'stat',
          title: 'Champion',
          description:
            'The version that serves. It is promoted when it beats the one before on the same live windows.',
          unit: 'none',
          noData: 'none yet',
          width: 3,
          height: 4,
          text: 'name',
          query: { expr: maxBy(['version'], 'fedloop_champion_info'), legend: '{{version}}' },
        },
        {
          kind: 'stat',
          title: 'Real accuracy',
          description:
            'Share of the champion’s forecasts that came within the tolerance, over everything it was measured on. Counted from model_evaluations.',
          unit: 'percentunit',
          decimals: 1,
          noData: 'not measured',
          width: 3,
          height: 4,
          query: {
            expr: maxBy([], 'fedloop_model_accuracy_ratio', 'stage="champion"', 'scope="lifetime"'),
            legend: 'accuracy',
          },
        },
        {
          kind: 'stat',
          title: 'Against the one before',
          description:
            'The champion’s accuracy minus that of the champion before it, on the device-windows of the round that promoted it.',
          unit: POINTS,
          decimals: 2,
          noData: 'no round yet',
          width: 4,
          height: 4,
          thresholds: { base: 'red', steps: [{ from: 0, colour: 'green' }] },
          query: { expr: points(championsGain()), legend: 'change' },
        },
        {
          kind: 'stat',
          title: 'Beyond persistence',
          description:
            'The champion’s accuracy in the latest window minus that of forecasting no change, on the same device-windows. Drift detection watches this; below zero the model is worse than none.',
          unit: POINTS,
          decimals: 1,
          noData: 'not measured',
          width: 4,
          height: 4,
          thresholds: {
            base: 'red',
            steps: [
              { from: 0, colour: 'yellow' },
              { from: 5, colour: 'green' },
            ],
          },
          query: {
            expr: points(maxBy([], 'fedloop_model_advantage_ratio', 'stage="champion"', 'scope="window"')),
            legend: 'advantage',
          },
        },
        {
          kind: 'stat',
          title: 'Devices below 40 %',
          description:
            'Devices of which the champion got fewer than 40 % of its latest 24 windows right. Often they are broken: Which devices suffer, further down, says how bad the worst are.',
          unit: 'locale',
          noData: 'not measured',
          width: 3,
          height: 4,
          query: { expr: sumBy([], 'fedloop_champion_devices', 'band=~"00-20|20-40"'), legend: 'devices' },
        },
        {
          kind: 'stat',
          title: 'Stream lag',
          description: 'Events that wait to be read, over all partitions. Stream health shows which wait.',
          unit: 'locale',
          noData: 'no stream worker',
          width: 2,
          height: 4,
          thresholds: LAG_THRESHOLDS,
          query: { expr: sumBy([], 'fedloop_stream_lag_records'), legend: 'events' },
        },
        {
          kind: 'stat',
          title: 'Latest round',
          description:
            'What the latest round with a result came to. promoted: its candidate serves now. rejected: it was worse. kept: the evidence was not enough, the champion stays.',
          unit: 'none',
          noData: 'none yet',
          width: 3,
          height: 4,
          text: 'name',
          query: { expr: ofLatestRound(['decision'], 'fedloop_round_info'), legend: '{{decision}}' },
        },
        {
          kind: 'stat',
          title: 'Alerts',
          description: 'Alerts of Fedloop that are firing now; dashboards/rules.yml says what each means.',
          unit: 'none',
          noData: '0',
          width: 2,
          height: 4,
          thresholds: { base: 'green', steps: [{ from: 1, colour: 'red' }] },
          query: {
            expr: 'count (ALERTS{alertname=~"Fedloop.*",alertstate="firing"}) or vector(0)',
            legend: 'firing',
          },
        },
      ],
    },
    {
      title: 'Accuracy per version',
      panels: [
        {
          kind: 'grouped-bars',
          title: 'Accuracy per version',
          description:
            'Real accuracy of each version that serves, has served or is being tried, over everything it was measured on, and what forecasting no change had there. Versions were not measured on the same windows: to compare two, look at the rounds, which pair them.',
          unit: 'percentunit',
          decimals: 0,
          noData: NOT_MEASURED,
          width: 10,
          height: 9,
          by: 'version',
          sortBy: 'round',
          queries: [
            { expr: ofServingVersions(maxBy(['version', 'round'], 'fedloop_model_info')), legend: HIDDEN },
            {
              expr: ofServingVersions(maxBy(['version'], 'fedloop_model_accuracy_ratio', 'scope="lifetime"')),
              legend: 'accuracy',
              colour: 'blue',
            },
            {
              expr: ofServingVersions(
                maxBy(['version'], 'fedloop_model_persistence_accuracy_ratio', 'scope="lifetime"'),
              ),
              legend: 'persistence there',
              colour: 'gray',
            },
          ],
        },
        {
          kind: 'timeseries',
          title: 'Accuracy over time',
          description:
            'Accuracy of each version in force, window by window, with persistence (no change) as the floor. All versions of a moment saw the same windows.',
          unit: 'percentunit',
          decimals: 1,
          noData: NOT_MEASURED,
          width: 14,
          height: 9,
          queries: [
            {
              expr: maxBy(['version'], 'fedloop_model_accuracy_ratio', 'scope="window"'),
              legend: '{{version}}',
            },
            {
              expr: maxBy(
                [],
                'fedloop_model_persistence_accuracy_ratio',
                'scope="window"',
                'stage="champion"',
              ),
              legend: 'persistence',
              colour: 'gray',
            },
          ],
        },
        {
          kind: 'timeseries',
          title: 'Champion against candidate',
          description:
            'Live accuracy by stage; of two candidates, the better. A candidate is judged beside the champion on the same windows; shadow is the champion’s predecessor, kept so that a rollback has figures to go by.',
          unit: 'percentunit',
          decimals: 1,
          noData: 'No version is in force: a first round makes one.',
          width: 12,
          height: 8,
          queries: (
            [
              ['champion', 'green'],
              ['candidate', 'blue'],
              ['shadow', 'orange'],
            ] as const
          ).map(([stage, colour]) => ({
            expr: maxBy([], 'fedloop_model_accuracy_ratio', 'scope="window"', `stage="${stage}"`),
            legend: stage,
            colour,
          })),
        },
        {
          kind: 'grouped-bars',
          title: 'What local models claim, and what is real',
          description:
            'By round: accuracy that local models report of themselves, what they reach on devices that did not train, and what the aggregated candidate reached live. The usual server believes the first.',
          unit: 'percentunit',
          decimals: 1,
          noData: NO_ROUND,
          width: 12,
          height: 8,
          by: 'round',
          queries: [
            {
              expr: maxBy(['round'], 'fedloop_round_local_accuracy_ratio', 'source="self-reported"'),
              legend: 'locals claim',
              colour: 'orange',
            },
            {
              expr: maxBy(['round'], 'fedloop_round_local_accuracy_ratio', 'source="real"'),
              legend: 'locals, real',
              colour: 'gray',
            },
            {
              expr: maxBy(['round'], 'fedloop_round_accuracy_ratio', 'measured="candidate"'),
              legend: 'candidate, live',
              colour: 'blue',
            },
          ],
        },
      ],
    },
    {
      title: 'Which errors it makes',
      panels: [
        {
          kind: 'bars',
          title: 'Accuracy by regime',
          description:
            'The champion in the latest window, by what the temperature did. Rising or falling: by more than half a tolerance from the window before. Feedback trains most where it is weak.',
          unit: 'percentunit',
          decimals: 1,
          min: 0,
          max: 1,
          noData: NOT_MEASURED,
          width: 5,
          height: 8,
          queries: ['steady', 'rising', 'falling', 'normal', 'anomalous'].map((regime) => ({
            expr: maxBy([], 'fedloop_model_regime_accuracy_ratio', 'stage="champion"', `regime="${regime}"`),
            legend: regime,
            colour: 'blue' as const,
          })),
        },
        {
          kind: 'bars',
          title: 'Anomalies: predicted against actual',
          description:
            'Device-windows of the latest window by the champion’s anomaly flag against the actual one, without those where both say normal. Much predicted alone: it overpredicts anomalies; much actual alone: it misses them.',
          unit: 'none',
          min: 0,
          noData:
            'No device-window has an actual anomaly flag yet: it takes labels, or seven readings a window.',
          width: 5,
          height: 8,
          queries: (
            [
              ['true_positive', 'both say anomaly', 'green'],
              ['false_positive', 'predicted alone', 'orange'],
              ['false_negative', 'actual alone', 'red'],
            ] as const
          ).map(([outcome, legend, colour]) => ({
            expr: maxBy([], 'fedloop_model_anomaly_flags', 'stage="champion"', `outcome="${outcome}"`),
            legend,
            colour,
          })),
        },
        {
          kind: 'timeseries',
          title: 'Bias and mean error',
          description:
            'The champion: mean and mean absolute error, in °C. A bias that stays away from zero is a systematic error: the refit of the output layer is there to remove it.',
          unit: 'celsius',
          decimals: 2,
          noData: NOT_MEASURED,
          width: 5,
          height: 8,
          queries: [
            {
              expr: maxBy([], 'fedloop_model_mae_celsius', 'stage="champion"'),
              legend: 'mean absolute error',
              colour: 'orange',
            },
            {
              expr: maxBy([], 'fedloop_model_bias_celsius', 'stage="champion"'),
              legend: 'bias',
              colour: 'blue',
            },
          ],
        },
        {
          kind: 'timeseries',
          title: 'Skill by version',
          description:
            '1 − MAE / MAE of persistence, window by window. Zero is as good as forecasting no change; accuracy is blind where the weather is easy, skill is not.',
          unit: 'percentunit',
          decimals: 1,
          noData: NOT_MEASURED,
          width: 5,
          height: 8,
          queries: [{ expr: maxBy(['version'], 'fedloop_model_skill_ratio'), legend: '{{version}}' }],
        },
        {
          kind: 'stat',
          title: 'Calibration error',
          description:
            'How far stated confidence is from being right, on average (expected calibration error, latest window). Small is good; above 15 % confidence should not be acted on.',
          unit: 'percentunit',
          decimals: 1,
          noData: NOT_MEASURED,
          width: 4,
          height: 8,
          thresholds: {
            base: 'green',
            steps: [
              { from: 0.1, colour: 'yellow' },
              { from: 0.15, colour: 'red' },
            ],
          },
          query: {
            expr: maxBy([], 'fedloop_model_calibration_error_ratio', 'stage="champion"'),
            legend: 'calibration error',
          },
        },
      ],
    },
    {
      title: 'Which devices suffer',
      panels: [
        {
          kind: 'bars',
          title: 'Devices by their own accuracy',
          description:
            'How many devices are served how well by the champion, over its latest 24 windows; bands in percent. Devices in the lowest band are often broken: look at them first.',
          unit: 'none',
          min: 0,
          noData: NOT_MEASURED,
          width: 8,
          height: 9,
          queries: [{ expr: maxBy(['band'], 'fedloop_champion_devices'), legend: '{{band}} %' }],
        },
        {
          kind: 'table',
          title: 'Worst devices',
          description:
            'The ten devices with the largest mean absolute error over the champion’s latest 24 windows. Ids are no metric’s label; the panel beside says how to get them.',
          unit: 'none',
          noData: NOT_MEASURED,
          width: 8,
          height: 9,
          by: 'rank',
          queries: [
            {
              expr: maxBy(['rank'], 'fedloop_champion_worst_device_mae_celsius'),
              legend: 'mean absolute error',
              unit: 'celsius',
            },
            {
              expr: maxBy(['rank'], 'fedloop_champion_worst_device_bias_celsius'),
              legend: 'bias',
              unit: 'celsius',
            },
            {
              expr: maxBy(['rank'], 'fedloop_champion_worst_device_accuracy_ratio'),
              legend: 'accuracy',
              unit: 'percentunit',
            },
          ],
        },
        {
          kind: 'text',
          title: 'Who are they?',
          description: 'How to get the names of the worst devices.',
          width: 8,
          height: 9,
          markdown: [
            'Device ids stay out of metrics: a fleet has too many of them. The tables name the same devices:',
            '',
            '```sh',
            'fedloop sql "FROM champion_devices ORDER BY mae DESC LIMIT 10"',
            '```',
            '',
            'And what one of them sent, beside what was forecast:',
            '',
            '```sh',
            'fedloop sql "SELECT window_start, prediction_result, actual_result',
            "  FROM model_evaluations WHERE device_id = '…' ORDER BY 1\"",
            '```',
          ].join('\n'),
        },
      ],
    },
    {
      title: 'What the loop is doing',
      panels: [
        {
          kind: 'table',
          title: 'Versions',
          description:
            'Every version in force and the latest others: its stage, its making, and what it was worth.',
          unit: 'none',
          noData: NOT_MEASURED,
          width: 16,
          height: 9,
          by: 'version',
          labels: { stage: 'stage', strategy: 'strategy', candidate: 'candidate', round: 'round' },
          sortBy: 'round',
          newestFirst: true,
          queries: [
            {
              expr: maxBy(['version', 'stage', 'strategy', 'candidate', 'round'], 'fedloop_model_info'),
              legend: HIDDEN,
            },
            {
              expr: maxBy(['version'], 'fedloop_model_accuracy_ratio', 'scope="lifetime"'),
              legend: 'accuracy',
              unit: 'percentunit',
            },
            {
              expr: points(maxBy(['version'], 'fedloop_model_advantage_ratio', 'scope="lifetime"')),
              legend: 'beyond persistence',
              unit: POINTS,
            },
            {
              expr: maxBy(['version'], 'fedloop_model_evaluations_total'),
              legend: 'forecasts',
              unit: 'locale',
            },
          ],
        },
        {
          kind: 'timeseries',
          title: 'Forecasts compared with what came',
          description:
            'Evaluations a second by version. While events come this must not be zero; every version in force is measured on the same windows.',
          unit: 'ops',
          noData: NOT_MEASURED,
          width: 8,
          height: 9,
          queries: [{ expr: ratePer(['version'], 'fedloop_model_evaluations_total'), legend: '{{version}}' }],
        },
        {
          kind: 'bars',
          title: 'Drift and checks',
          description:
            'Between rounds the champion is held against its predecessor and persistence. Checks by what they came to, and changes that drift detectors found in its errors; worse asks for a round.',
          unit: 'none',
          min: 0,
          noData: 'No analytics worker is scraped.',
          width: 8,
          height: 8,
          queries: [
            { expr: maxBy(['action'], 'fedloop_champion_checks_total'), legend: 'checks: {{action}}' },
            {
              expr: maxBy(['detector', 'change'], 'fedloop_drift_alarms_total'),
              legend: '{{detector}}: {{change}}',
            },
          ],
        },
        {
          kind: 'timeseries',
          title: 'Beyond persistence over time',
          description:
            'The champion’s accuracy minus that of persistence on the same device-windows: what drift detection watches, because weather moves both alike.',
          unit: POINTS,
          decimals: 1,
          noData: NOT_MEASURED,
          width: 16,
          height: 8,
          queries: [
            {
              expr: points(maxBy([], 'fedloop_model_advantage_ratio', 'stage="champion"', 'scope="window"')),
              legend: 'latest window',
            },
            {
              expr: points(
                maxBy([], 'fedloop_model_advantage_ratio', 'stage="champion"', 'scope="lifetime"'),
              ),
              legend: 'over its life',
            },
          ],
        },
      ],
    },
  ],
};
