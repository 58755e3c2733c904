// The curves: uPlot with our colours, a legend that says the figures under the cursor, and stacks.
import type UPlot from 'uplot';
import { el, setText } from './dom.js';

/** The library's script stands before this one. */
declare const uPlot: typeof UPlot;

export interface Curve {
  readonly name: string;
  readonly label: string;
  readonly hue: string;
}

export interface ChartShape {
  readonly title: string;
  readonly about: string;
  readonly curves: readonly Curve[];
  /** One upon the other, filled. */
  readonly stacked: boolean;
  readonly figure: (value: number) => string;
  /** On the axis, where there is little room. */
  readonly tick: (value: number) => string;
}

/** Columns by name; `at` in seconds. */
export type Columns = Readonly<Record<string, readonly (number | null)[]>>;

const height = 190;
const axisWidth = 52;

interface LegendItem {
  readonly element: HTMLElement;
  readonly value: HTMLElement;
}

export class Chart {
  readonly element: HTMLElement;
  private readonly canvas = el('div', { class: 'chart-canvas' });
  private readonly legend = el('div', { class: 'legend' });
  private readonly items = new Map<string, LegendItem>();
  private plot: UPlot | null = null;
  private drawn = '';
  private columns: Columns = { at: [] };
  private readonly observer = new ResizeObserver(() => this.fit());

  constructor(private readonly shape: ChartShape) {
    const { title, about } = shape;
    const head = el('h2', { title: about }, title);
    this.element = el('section', { class: 'panel chart' }, el('header', {}, head), this.canvas, this.legend);
    for (const { name, label, hue } of shape.curves) {
      const value = el('b', {}, '–');
      const element = el('span', { class: `legend-item hue-${hue}` }, el('i', { class: 'swatch' }), `${label} `, value);
      this.items.set(name, { element, value });
      this.legend.append(element);
    }
    this.observer.observe(this.canvas);
  }

  show(columns: Columns): void {
    this.columns = columns;
    const curves = this.visible();
    const drawn = `${document.documentElement.dataset['theme'] ?? ''} ${matchMedia('(prefers-color-scheme: dark)').matches} ${curves.map(({ name }) => name).join()}`;
    if (this.plot === null || drawn !== this.drawn) this.build(curves);
    this.drawn = drawn;
    this.plot?.setData(this.data(curves));
    this.tellFigures();
  }

  close(): void {
    this.observer.disconnect();
    this.plot?.destroy();
    this.plot = null;
  }

  /** Of a stack only what there is anything of. */
  private visible(): readonly Curve[] {
    if (!this.shape.stacked) return this.shape.curves;
    return this.shape.curves.filter(({ name }) => this.columns[name]?.some((value) => (value ?? 0) > 0));
  }

  private build(curves: readonly Curve[]): void {
    this.plot?.destroy();
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    const axis = {
      stroke: colour('--muted'),
      font: '11px system-ui',
      grid: { stroke: colour('--grid'), width: 1 },
      ticks: { show: false },
    };
    const { stacked, tick } = this.shape;
    const series = curves.map(({ label, hue }) => {
      const stroke = colour(`--hue-${hue}`);
      return {
        label,
        stroke,
        width: stacked ? 1 : 1.75,
        ...(stacked ? { fill: stroke } : {}),
        points: { show: false },
        spanGaps: true,
      };
    });
    const options: UPlot.Options = {
      width: Math.max(120, this.canvas.clientWidth),
      height,
      padding: [8, 20, 0, 0],
      legend: { show: false },
      cursor: { y: false, points: { show: !stacked }, drag: { x: false, y: false } },
      scales: { y: { range: (_plot, _min, max) => [0, Math.max(1, (max ?? 1) * 1.1)] } },
      axes: [
        { ...axis, values: (_plot, times) => times.map((at) => clockOf(at, times)), space: 70, size: 26 },
        { ...axis, values: (_plot, values) => values.map((value) => tick(value)), size: axisWidth, space: 34 },
      ],
      // The tallest of a stack first, so that the lower ones stand before it.
      series: [{}, ...(stacked ? series.toReversed() : series)],
      hooks: { setCursor: [() => this.tellFigures()] },
    };
    this.plot = new uPlot(options, this.data(curves), this.canvas);
  }

  private data(curves: readonly Curve[]): UPlot.AlignedData {
    const at = (this.columns['at'] ?? []) as number[];
    const columns = curves.map(({ name }) => this.columns[name] ?? []);
    if (!this.shape.stacked) return [at, ...columns] as UPlot.AlignedData;
    const sums: number[][] = [];
    for (const column of columns) {
      const below = sums.at(-1);
      sums.push(at.map((_, i) => (column[i] ?? 0) + (below?.[i] ?? 0)));
    }
    return [at, ...sums.toReversed()] as UPlot.AlignedData;
  }

  /** Under the cursor, else the newest. */
  private tellFigures(): void {
    const index = this.plot?.cursor.idx ?? (this.columns['at']?.length ?? 0) - 1;
    const shown = new Set(this.visible());
    for (const curve of this.shape.curves) {
      const { element, value } = this.items.get(curve.name) as LegendItem;
      const figure = this.columns[curve.name]?.[index] ?? null;
      setText(value, figure === null ? '–' : this.shape.figure(figure));
      element.hidden = !shown.has(curve);
    }
  }

  private fit(): void {
    const width = this.canvas.clientWidth;
    if (this.plot !== null && width > 0 && width !== this.plot.width) this.plot.setSize({ width, height });
  }
}

/** Seconds only where minutes would repeat themselves. */
function clockOf(seconds: number, all: readonly number[]): string {
  const step = (all[1] ?? 60) - (all[0] ?? 0);
  return new Date(seconds * 1000).toLocaleTimeString('en-GB').slice(0, step < 60 ? 8 : 5);
}
