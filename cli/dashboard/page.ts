import { type DashboardFile, type DashboardPanel } from './dashboard-file';
import { escapeHtml } from './html';

/** A dashboard with the HTML of its panels. */
export interface DrawnDashboard {
  readonly file: DashboardFile;
  readonly bodies: ReadonlyMap<number, string>;
}

const STYLE = `
:root { color-scheme: light dark; --paper: #f4f5f7; --card: #ffffff; --ink: #1f2430; --soft: #6b7280; --edge: #e2e5ea; }
@media (prefers-color-scheme: dark) { :root { --paper: #111217; --card: #181b1f; --ink: #d8dbe2; --soft: #8e949e; --edge: #2a2e36; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 13px/1.4 system-ui, sans-serif; }
main { max-width: 1472px; margin: 0 auto; padding: 16px; }
h1 { font-size: 20px; margin: 24px 0 2px; } h1 + p { color: var(--soft); margin: 0 0 12px; }
.grid { display: grid; grid-template-columns: repeat(24, minmax(0, 1fr)); gap: 8px; }
.row { grid-column: 1 / -1; font-size: 14px; font-weight: 600; margin: 12px 0 0; }
section { background: var(--card); border: 1px solid var(--edge); border-radius: 4px; padding: 8px 12px; overflow: auto; display: flex; flex-direction: column; }
section h3 { font-size: 12px; font-weight: 600; margin: 0 0 4px; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
svg { display: block; width: 100%; height: auto; min-height: 0; flex: 0 1 auto; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 0 14px; margin: 6px 0 0; padding: 0; color: var(--soft); font-size: 11px; line-height: 18px; max-height: 54px; overflow-y: auto; flex: none; }
.legend i { display: inline-block; width: 10px; height: 8px; border-radius: 2px; margin-right: 5px; }
.stat { font-size: 26px; font-weight: 600; margin: auto; text-align: center; white-space: nowrap; }
.stat.green { color: #2f9e5f; } .stat.red { color: #d0433f; } .stat.yellow { color: #b98a10; } .stat.blue { color: #3b7dd8; }
.none { color: var(--soft); text-align: center; margin: auto; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: 3px 8px; border-bottom: 1px solid var(--edge); }
th { color: var(--soft); font-weight: 600; } .number { text-align: right; font-variant-numeric: tabular-nums; }
th { white-space: nowrap; } .markdown p { margin: 4px 0; } .markdown pre { background: var(--paper); border-radius: 4px; padding: 8px; white-space: pre-wrap; font: 12px/1.5 ui-monospace, monospace; margin: 4px 0 10px; }
footer { color: var(--soft); margin: 16px 0; }
@media (max-width: 800px) { .grid { display: block; } section { margin-bottom: 8px; height: auto !important; } }
`;

/** One self-contained page. */
export function renderPage(dashboards: readonly DrawnDashboard[], note: string): string {
  const parts = dashboards.map(
    ({ file, bodies }) =>
      `<h1>${escapeHtml(file.title)}</h1><p>${escapeHtml(file.description)}</p><div class="grid">${file.panels
        .map((panel) => renderPanel(panel, bodies.get(panel.id) ?? ''))
        .join('\n')}</div>`,
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Fedloop: ${escapeHtml(dashboards.map(({ file }) => file.title).join(', '))}</title><style>${STYLE}</style></head>
<body><main>${parts.join('\n')}<footer>${escapeHtml(note)}</footer></main></body></html>
`;
}

function renderPanel(panel: DashboardPanel, body: string): string {
  if (panel.type === 'row') return `<h2 class="row">${escapeHtml(panel.title)}</h2>`;
  const { w, h } = panel.gridPos;
  return `<section style="grid-column: span ${w}; height: ${h * 36}px"><h3 title="${escapeHtml(panel.description)}">${escapeHtml(panel.title)}</h3>${body}</section>`;
}
