import { html } from '../../functions/panel/html.ts';
import { type Figure, meets } from './measure.ts';

/**
 * A small chart for docs/: figures relative to their aims, and the time by number of integrations on logarithmic
 * scales.
 */
export function drawChart(
  figures: readonly Figure[],
  points: readonly { readonly integrations: number; readonly ms: number }[],
): string {
  const aimed = figures.flatMap((figure) => {
    const { aim, value } = figure;
    if (aim === null || ('atMost' in aim && aim.atMost === 0)) return [];
    const part = 'atMost' in aim ? value / aim.atMost : aim.atLeast / value;
    return [{ label: `${figure.part}: ${figure.what}`, part, met: meets(figure) === true }];
  });
  const height = 60 + aimed.length * 22;
  const growthTop = height + 30;
  const x = (integrations: number) => 480 + (Math.log10(integrations) - 1) * 110;
  const most = Math.max(...points.map(({ ms }) => ms));
  const least = Math.min(...points.map(({ ms }) => ms));
  const y = (ms: number) =>
    growthTop + 150 - (140 * (Math.log10(ms) - Math.log10(least))) / (Math.log10(most) - Math.log10(least));
  return html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 960 ${growthTop + 200}" font-family="system-ui, 'DejaVu Sans', Arial, sans-serif" font-size="12" role="img" aria-label="Each figure relative to its aim, and the time of a quiet pass by number of integrations">
<rect width="960" height="${growthTop + 200}" fill="#ffffff"></rect>
<text x="20" y="26" font-size="15" font-weight="600">Figures relative to their aims (less is better)</text>
${aimed.map(
  ({ label, part, met }, index) =>
    html`<text x="470" y="${56 + index * 22}" text-anchor="end">${label}</text><rect x="480" y="${45 + index * 22}" width="${Math.round(Math.min(part, 1.55) * 280)}" height="14" fill="${met ? '#16a34a' : '#d97706'}"></rect><text x="${486 + Math.round(Math.min(part, 1.55) * 280)}" y="${56 + index * 22}">${part.toFixed(2)}</text>`,
)}
<line x1="760" x2="760" y1="38" y2="${height - 8}" stroke="#64748b" stroke-dasharray="4 3"></line><text x="760" y="34" text-anchor="middle" fill="#475569">aim</text>
<text x="20" y="${growthTop}" font-size="15" font-weight="600">Time of a quiet pass by number of integrations (both logarithmic)</text>
<polyline fill="none" stroke="#4f46e5" stroke-width="2" points="${points.map(({ integrations, ms }) => `${x(integrations)},${y(ms).toFixed(1)}`).join(' ')}"></polyline>
${points.map(
  ({ integrations, ms }) =>
    html`<circle cx="${x(integrations)}" cy="${y(ms).toFixed(1)}" r="4" fill="#4f46e5"></circle><text x="${x(integrations)}" y="${growthTop + 180}" text-anchor="middle">${integrations.toLocaleString('en-US')}</text><text x="${x(integrations)}" y="${(y(ms) - 10).toFixed(1)}" text-anchor="middle" fill="#475569">${(ms / least).toFixed(1)} ×</text>`,
)}</svg>
`.toString();
}
