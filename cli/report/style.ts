/** The page's style sheet: light and dark mode, telephones, paper. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --page: #f4f5f8; --surface: #ffffff; --ink: #18202e; --muted: #5a6577; --line: #e1e5ec; --quiet: #98a2b3;
  --accent: #1f5fd0; --soft: #d5e2fa; --claim: #c2570c; --good: #1a7f4b; --bad: #c0342f; --warn: #9a6200;
  --c1: #8a93a3; --c2: #c2570c; --c3: #7b4fc9; --c4: #1a7f4b; --c5: #b8860b;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0f141c; --surface: #171e29; --ink: #e7ebf2; --muted: #9aa5b6; --line: #2a3342; --quiet: #6d788a;
    --accent: #6ea3ff; --soft: #24406f; --claim: #f0914a; --good: #4cc38a; --bad: #f2726c; --warn: #e0b04a;
    --c1: #98a2b3; --c2: #f0914a; --c3: #b393f0; --c4: #4cc38a; --c5: #e0c04a;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main, footer { max-width: 920px; margin: 0 auto; padding: 0 16px; }
header { padding: 40px 0 8px; }
.brand { margin: 0 0 14px; color: var(--accent); font-weight: 600; font-size: 14px; letter-spacing: .02em; }
.brand .run { color: var(--muted); font-weight: 400; margin-left: 8px; }
h1 { font-size: 34px; line-height: 1.18; letter-spacing: -.015em; margin: 0 0 12px; text-wrap: balance; }
h2 { font-size: 22px; line-height: 1.25; letter-spacing: -.01em; margin: 0 0 6px; }
h3 { font-size: 16px; margin: 22px 0 8px; overflow-wrap: anywhere; }
h4 { font-size: 13px; margin: 0 0 4px; color: var(--muted); font-weight: 600; }
.lead { margin: 0 0 18px; color: var(--muted); max-width: 74ch; }
header .lead { font-size: 17px; }
section { background: var(--surface); border: 1px solid var(--line); border-radius: 14px; padding: 26px 28px; margin: 20px 0; }
svg { display: block; width: 100%; height: auto; }
.narrow { display: none; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 4px 20px; margin: 0 0 10px; padding: 0; font-size: 13px; }
.columns .legend { padding: 0; margin: 0 0 6px; }
.columns .legend li { margin: 0; }
.swatch { display: inline-block; width: 11px; height: 11px; border: 2.5px solid; border-radius: 50%; margin-right: 7px; vertical-align: -1px; }
.tiles { list-style: none; display: grid; grid-template-columns: repeat(3, 1fr); gap: 1px; margin: 24px 0 0; padding: 0; background: var(--line); border: 1px solid var(--line); border-radius: 14px; overflow: hidden; }
.tiles li { background: var(--surface); padding: 16px 18px; display: flex; flex-direction: column; }
.tiles .name { font-size: 13px; color: var(--muted); }
.tiles .value { font-size: 26px; font-weight: 650; letter-spacing: -.01em; font-variant-numeric: tabular-nums; }
.tiles .more { font-size: 13px; color: var(--muted); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; }
th, td { padding: 6px 0 6px 18px; border-bottom: 1px solid var(--line); white-space: nowrap; font-weight: 400; }
th:first-child, td:first-child { padding-left: 0; }
thead th { color: var(--muted); font-size: 13px; }
.number { text-align: right; }
.text { text-align: left; }
tbody tr:last-child > * { border-bottom: 0; }
.badge { display: inline-block; font-size: 12px; line-height: 1; font-weight: 600; padding: 4px 8px; border-radius: 999px; border: 1px solid currentColor; vertical-align: 2px; }
.badge.promoted { color: var(--good); } .badge.rejected, .badge.fault { color: var(--bad); } .badge.kept { color: var(--warn); }
.note { color: var(--muted); font-size: 14px; margin: 10px 0 0; }
.action { border-top: 1px solid var(--line); padding: 4px 0 14px; }
.columns { display: grid; grid-template-columns: 1fr 1fr; gap: 32px; font-size: 14px; }
.columns p { margin: 0 0 12px; }
.columns ul { margin: 0 0 14px; padding-left: 18px; }
.columns li { margin: 2px 0; }
.devices { display: grid; grid-template-columns: 1fr 1fr; gap: 8px 32px; }
.device h3 { margin-bottom: 0; }
.device p { margin: 2px 0 6px; font-size: 13px; color: var(--muted); }
.dot { display: inline-block; width: 9px; height: 9px; border-radius: 50%; }
.dot.good { background: var(--good); } .dot.bad { background: var(--bad); }
details { margin-top: 16px; font-size: 14px; }
summary { cursor: pointer; color: var(--accent); font-size: 13px; }
details > *:not(summary) { margin-top: 12px; }
pre { background: var(--page); border: 1px solid var(--line); border-radius: 8px; padding: 12px 14px; font: 12px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
code { font: .92em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
dl { margin: 0 0 18px; display: grid; grid-template-columns: repeat(2, 1fr); gap: 0 32px; font-size: 14px; }
dl div { display: flex; justify-content: space-between; gap: 16px; border-bottom: 1px solid var(--line); padding: 5px 0; }
dt { color: var(--muted); }
dd { margin: 0; text-align: right; overflow-wrap: anywhere; }
footer { padding: 8px 16px 48px; color: var(--muted); font-size: 13px; }
@media (max-width: 640px) {
  header { padding-top: 24px; }
  h1 { font-size: 26px; }
  header .lead { font-size: 16px; }
  section { padding: 20px 16px; border-radius: 12px; }
  .wide { display: none; }
  .narrow { display: block; }
  .tiles { grid-template-columns: repeat(2, 1fr); }
  .tiles li { padding: 12px 14px; }
  .tiles .value { font-size: 22px; }
  .columns, .devices, dl { grid-template-columns: 1fr; }
  .columns { gap: 12px; }
  .scroll { overflow-x: visible; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tbody tr { display: grid; grid-template-columns: 1fr 1fr; gap: 2px 20px; padding: 10px 0; border-bottom: 1px solid var(--line); }
  tbody tr:last-child { border-bottom: 0; }
  tbody th, tbody td { display: block; padding: 0; border-bottom: 0; font-size: 13px; }
  tbody td { text-align: right; }
  tbody th { grid-column: 1 / -1; font-weight: 600; font-size: 14px; }
  tbody td::before { content: attr(data-name); float: left; margin-right: 8px; color: var(--muted); }
  tbody td:empty { display: none; }
}
@media print {
  :root {
    --page: #ffffff; --surface: #ffffff; --ink: #000000; --muted: #4a4a4a; --line: #d5d5d5; --quiet: #8c8c8c;
    --accent: #1f5fd0; --soft: #d5e2fa; --claim: #c2570c; --good: #1a7f4b; --bad: #c0342f; --warn: #9a6200;
    --c1: #8a93a3; --c2: #c2570c; --c3: #7b4fc9; --c4: #1a7f4b; --c5: #b8860b;
  }
  @page { margin: 14mm; }
  body { font-size: 10pt; -webkit-print-color-adjust: exact; print-color-adjust: exact; }
  main, footer { max-width: none; padding: 0; }
  header { padding-top: 0; }
  section { border: 0; padding: 0; margin: 22pt 0; border-radius: 0; }
  .wide { display: block; }
  .narrow, details { display: none; }
  .tiles, .action, .device, .lead, .legend, svg, table { break-inside: avoid; }
  h2, h3, h4, .lead, .legend { break-after: avoid; }
  .columns, .devices { grid-template-columns: 1fr 1fr; }
  .action { padding: 0 0 2pt; }
  .action h3 { margin: 8pt 0 4pt; }
  .columns { font-size: 8.5pt; line-height: 1.32; gap: 20pt; }
  .columns p, .columns ul { margin-bottom: 5pt; }
  .columns svg { max-width: 84%; }
  .columns li { margin: 0; }
  .tiles { grid-template-columns: repeat(3, 1fr); }
}
`;
