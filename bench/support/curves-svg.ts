// Draws panels of curves as one SVG: ratios to the first point over a logarithmic axis, with their ranges.
import type { Curve, Panel } from './curves.ts';

const columns = 2;
const panel = { width: 460, height: 300 } as const;
/** Of a panel: what the drawing leaves for texts. */
const margin = { left: 48, right: 16, top: 40, bottom: 44 } as const;
const titleHeight = 34;
const colours = ['#1b6ca8', '#c8553d', '#4c8c4a', '#7a5195'];
/** A cost counts as flat within so much of the first point's. */
const flatShare = 0.15;
/** Of the ratio; beyond it a range is cut off, so that one wild window does not flatten the curve. */
const highestRatio = 4;

interface Frame {
  readonly x: (value: number) => number;
  readonly y: (ratio: number) => number;
}

export function svgOf(title: string, panels: readonly Panel[]): string {
  const rows = Math.ceil(panels.length / columns);
  const [width, height] = [panel.width * Math.min(columns, panels.length), panel.height * rows + titleHeight];
  const drawn = panels.map((one, i) => {
    const [x, y] = [(i % columns) * panel.width, Math.floor(i / columns) * panel.height + titleHeight];
    return `<g transform="translate(${x} ${y})">\n${panelText(one)}\n</g>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" font-family="sans-serif" font-size="11" fill="#222">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    text(12, 22, title, 'font-size="14" font-weight="bold"'),
    ...drawn,
    '</svg>',
    '',
  ].join('\n');
}

function panelText({ axis, curves }: Panel): string {
  const frame = frameOf(curves);
  const [left, right] = [margin.left, panel.width - margin.right];
  const highest = Math.min(highestRatio, top(curves));
  const band = [frame.y(1 + flatShare), frame.y(1 - flatShare)] as const;
  const grid = ticksOf(highest).map((ratio) => {
    const y = round(frame.y(ratio));
    return `<path d="M${left} ${y}H${right}" stroke="#ddd"/>${text(left - 6, y + 4, String(ratio), 'text-anchor="end"')}`;
  });
  const places = [...new Set(curves.flatMap(({ points }) => points.map(({ x }) => x)))].map((x) =>
    text(round(frame.x(x)), panel.height - margin.bottom + 16, x.toLocaleString('en'), 'text-anchor="middle"'),
  );
  return [
    text(left, 14, axis, 'font-weight="bold"'),
    ...curves.map(({ line }, i) => text(left + i * 170, 30, `● ${line}`, `fill="${colours[i % colours.length]}"`)),
    `<rect x="${left}" y="${round(band[0])}" width="${right - left}" height="${round(band[1] - band[0])}" fill="#e8f1e4"/>`,
    ...grid,
    ...places,
    ...curves.map((curve, i) => curveText(curve, frame, colours[i % colours.length] as string)),
  ].join('\n');
}

function curveText({ points }: Curve, { x, y }: Frame, colour: string): string {
  const at = (ratio: number) => round(y(Math.min(highestRatio, ratio)));
  const path = points.map((point, i) => `${i === 0 ? 'M' : 'L'}${round(x(point.x))} ${at(point.ratio)}`).join('');
  const marks = points.map((point) => {
    const across = round(x(point.x));
    return `<path d="M${across} ${at(point.low)}V${at(point.high)}" stroke="${colour}" stroke-opacity="0.5"/><circle cx="${across}" cy="${at(point.ratio)}" r="3" fill="${colour}"/>`;
  });
  return `<path d="${path}" fill="none" stroke="${colour}" stroke-width="1.5"/>\n${marks.join('\n')}`;
}

function frameOf(curves: readonly Curve[]): Frame {
  const places = curves.flatMap(({ points }) => points.map(({ x }) => Math.log10(x)));
  const [first, last] = [Math.min(...places), Math.max(...places)];
  const [wide, high] = [panel.width - margin.left - margin.right, panel.height - margin.top - margin.bottom];
  const inset = 28;
  const highest = Math.min(highestRatio, top(curves));
  return {
    x: (value) => {
      const share = last === first ? 0.5 : (Math.log10(value) - first) / (last - first);
      return margin.left + inset + share * (wide - 2 * inset);
    },
    y: (ratio) => margin.top + high * (1 - ratio / highest),
  };
}

/** The next half above all that is drawn. */
function top(curves: readonly Curve[]): number {
  const all = curves.flatMap(({ points }) => points.map(({ high }) => high));
  return Math.max(1.5, Math.ceil(Math.max(...all) * 2) / 2);
}

function ticksOf(highest: number): number[] {
  const step = highest > 2 ? 1 : 0.5;
  return Array.from({ length: Math.floor(highest / step) + 1 }, (_, i) => i * step);
}

const round = (value: number) => Math.round(value * 10) / 10;

function text(x: number, y: number, content: string, attributes: string): string {
  return `<text x="${x}" y="${y}" ${attributes}>${escaped(content)}</text>`;
}

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };
const escaped = (content: string) => content.replace(/[&<>]/g, (sign) => escapes[sign] as string);
