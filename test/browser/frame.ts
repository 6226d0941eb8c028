import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { close, listen } from '../support/loopback.ts';

/**
 * A page that treats a custom widget as CloudWatch's guide describes. It removes scripts from the function's answer. A
 * `<cwdb-action>` belongs to the element before it: it asks for its confirmation, and calls a function with its parameters and
 * the widget's context. The answer replaces the widget.
 */
export interface Frame {
  readonly url: (look: { readonly theme: 'light' | 'dark'; readonly width: number }) => string;
  /** The calls, in order. */
  readonly calls: readonly { readonly endpoint: string; readonly payload: Readonly<Record<string, unknown>> }[];
  close(): Promise<void>;
}

export type Functions = Readonly<Record<string, (event: unknown) => Promise<string>>>;

const PURIFY = fileURLToPath(import.meta.resolve('dompurify/dist/purify.min.js'));

/**
 * @param functions by ARN
 * @param endpoint the function that draws the widget
 * @param parameters of the widget
 */
export async function startFrame(
  functions: Functions,
  endpoint: string,
  parameters: Readonly<Record<string, unknown>>,
): Promise<Frame> {
  const calls: { endpoint: string; payload: Readonly<Record<string, unknown>> }[] = [];
  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://frame');
    const answer = (type: string, body: string, status = 200) => {
      response.writeHead(status, { 'content-type': `${type}; charset=utf-8` }).end(body);
    };
    if (url.pathname === '/purify.js') return answer('text/javascript', readFileSync(PURIFY, 'utf8'));
    if (url.pathname === '/invoke' && request.method === 'POST') {
      const call = JSON.parse(await text(request)) as (typeof calls)[number];
      calls.push(call);
      const invoked = functions[call.endpoint];
      if (invoked === undefined) return answer('text/plain', 'AccessDenied', 403);
      return answer('application/json', JSON.stringify(await invoked(call.payload)));
    }
    if (url.pathname !== '/') return answer('text/plain', 'not found', 404);
    const theme = url.searchParams.get('theme') === 'dark' ? 'dark' : 'light';
    const width = Number(url.searchParams.get('width')) || 1_200;
    return answer('text/html', page({ theme, width, endpoint, parameters }));
  });
  const origin = await listen(server);
  return {
    url: ({ theme, width }) => `${origin}/?theme=${theme}&width=${width}`,
    calls,
    close: () => close(server),
  };
}

function page(options: {
  readonly theme: 'light' | 'dark';
  readonly width: number;
  readonly endpoint: string;
  readonly parameters: Readonly<Record<string, unknown>>;
}): string {
  const { theme, width } = options;
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Dashboard</title><link rel="icon" href="data:,"><style>
body{margin:0;padding:12px;font-family:sans-serif;background:${theme === 'dark' ? '#0b1520' : '#f2f3f3'}}
main{width:${width - 24}px;background:${theme === 'dark' ? '#0f1b2a' : '#fff'};border:1px solid ${theme === 'dark' ? '#414d5c' : '#d5dbdb'};box-sizing:border-box}
h1{font-size:14px;margin:0;padding:8px;color:${theme === 'dark' ? '#e9ebed' : '#16191f'}}
dialog{max-width:420px}</style></head>
<body><main><h1>${options.parameters.project ?? 'Fleet'}: control panel</h1><div id="widget" aria-live="polite"></div></main>
<dialog id="confirmation" aria-labelledby="question"><p id="question"></p><button id="cancel">Cancel</button> <button id="confirm">Confirm</button></dialog>
<script src="/purify.js"></script><script>
const options = ${JSON.stringify(options)};
const widget = document.getElementById('widget');
const dialog = document.getElementById('confirmation');
// Removes scripts, <iframe> and <use>, and keeps CloudWatch's own element.
const clean = { ADD_TAGS: ['cwdb-action'], ADD_ATTR: ['action', 'confirmation', 'display', 'endpoint', 'event'], ADD_URI_SAFE_ATTR: ['endpoint', 'confirmation'], FORBID_TAGS: ['iframe', 'use'], FORCE_BODY: true };
const confirmed = (question) => new Promise((resolve) => {
  document.getElementById('question').textContent = question;
  const answer = (yes) => () => { dialog.close(); resolve(yes); };
  document.getElementById('cancel').onclick = answer(false);
  document.getElementById('confirm').onclick = answer(true);
  dialog.showModal();
});
async function call(endpoint, parameters) {
  const fields = [...widget.querySelectorAll('form [name]')].map(({ name, value }) => [name, value]);
  const widgetContext = { dashboardName: 'Guard', widgetId: 'widget-1', accountId: '123456789012', locale: 'en', period: 300,
    timezone: { label: 'UTC', offsetISO: '+00:00', offsetInMinutes: 0 }, isAutoPeriod: true, theme: options.theme, linkCharts: true,
    timeRange: { mode: 'relative', start: 1627236199729, end: 1627322599729, relativeStart: 86400012 },
    title: 'control panel', params: options.parameters, forms: { all: Object.fromEntries(fields) }, width: options.width, height: 600 };
  document.body.dataset.busy = 'yes';
  const response = await fetch('/invoke', { method: 'POST', body: JSON.stringify({ endpoint, payload: { ...parameters, widgetContext } }) });
  show(response.ok ? await response.json() : '<p role="alert">' + await response.text() + '</p>');
  delete document.body.dataset.busy;
}
function show(html) {
  widget.innerHTML = DOMPurify.sanitize(html, clean);
  for (const action of widget.querySelectorAll('cwdb-action')) {
    const parameters = JSON.parse(action.textContent);
    action.previousElementSibling.addEventListener(action.getAttribute('event') ?? 'click', async () => {
      const question = action.getAttribute('confirmation');
      if (question === null || await confirmed(question)) await call(action.getAttribute('endpoint'), parameters);
    });
    action.hidden = true;
  }
}
call(options.endpoint, options.parameters);
</script></body></html>`;
}
