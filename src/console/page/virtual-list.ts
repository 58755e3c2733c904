// A list of any length of which only what is seen exists; one row is selected, and the keyboard moves it.
import { el, type Row } from './dom.js';

/** Rows that stand ready above and below. */
const spare = 6;

export interface VirtualListShape<T> {
  readonly label: string;
  /** As in the style sheet. */
  readonly rowHeight: number;
  readonly keyOf: (item: T) => string;
  /** A row that shows whatever item it is given. */
  readonly makeRow: () => Row<T>;
  readonly open: (item: T) => void;
}

let lists = 0;

export class VirtualList<T> {
  readonly element: HTMLElement;
  private readonly inner = el('div', { class: 'virtual-inner' });
  private readonly pool: Row<T>[] = [];
  private readonly id: string;
  private items: readonly T[] = [];
  private selected: string | null = null;
  private readonly observer = new ResizeObserver(() => this.draw());

  constructor(private readonly shape: VirtualListShape<T>) {
    lists += 1;
    this.id = `list-${lists}`;
    const attrs = { role: 'listbox', tabindex: '0', 'aria-label': shape.label };
    const on = {
      scroll: () => this.draw(),
      keydown: (event: Event) => this.pressed(event as KeyboardEvent),
      click: (event: Event) => this.clicked(event),
    };
    this.element = el('div', { class: 'virtual', attrs, on }, this.inner);
    this.observer.observe(this.element);
  }

  show(items: readonly T[]): void {
    this.items = items;
    const height = `${items.length * this.shape.rowHeight}px`;
    if (this.inner.style.height !== height) this.inner.style.height = height;
    this.draw(true);
  }

  close(): void {
    this.observer.disconnect();
  }

  /** `changed`: the items may be others than before, so that rows are drawn anew also where they stay. */
  private draw(changed = false): void {
    const { rowHeight } = this.shape;
    const { scrollTop, clientHeight } = this.element;
    const first = Math.max(0, Math.floor(scrollTop / rowHeight) - spare);
    const end = Math.min(this.items.length, Math.ceil((scrollTop + clientHeight) / rowHeight) + spare);
    while (this.pool.length < end - first) this.newRow();
    // A row keeps its place in the pool while it is seen: who scrolls by one has one drawn.
    const used = new Set<Row<T>>();
    for (let i = first; i < end; i += 1) {
      const row = this.pool[i % this.pool.length] as Row<T>;
      used.add(row);
      this.drawRow(row, i, changed);
    }
    for (const row of this.pool) if (!used.has(row)) row.element.hidden = true;
  }

  private drawRow(row: Row<T>, index: number, changed: boolean): void {
    const item = this.items[index] as T;
    const { element } = row;
    const isSelected = this.shape.keyOf(item) === this.selected;
    if (element.getAttribute('aria-selected') !== String(isSelected))
      element.setAttribute('aria-selected', String(isSelected));
    if (isSelected) this.element.setAttribute('aria-activedescendant', element.id);
    if (element.dataset['index'] === String(index) && !element.hidden && !changed) return;
    element.hidden = false;
    element.dataset['index'] = String(index);
    element.style.transform = `translateY(${index * this.shape.rowHeight}px)`;
    element.setAttribute('aria-posinset', String(index + 1));
    element.setAttribute('aria-setsize', String(this.items.length));
    row.update(item);
  }

  private newRow(): void {
    const row = this.shape.makeRow();
    row.element.id = `${this.id}-${this.pool.length}`;
    row.element.setAttribute('role', 'option');
    this.pool.push(row);
    this.inner.append(row.element);
  }

  private clicked(event: Event): void {
    const row = (event.target as Element).closest<HTMLElement>('[data-index]');
    if (row === null || (event.target as Element).closest('a') !== null) return;
    this.select(Number(row.dataset['index']));
    this.openSelected();
  }

  private pressed(event: KeyboardEvent): void {
    const page = Math.max(1, Math.floor(this.element.clientHeight / this.shape.rowHeight) - 1);
    const at = this.items.findIndex((item) => this.shape.keyOf(item) === this.selected);
    const last = this.items.length - 1;
    const goals: Readonly<Record<string, number>> = {
      ArrowDown: at + 1,
      j: at + 1,
      ArrowUp: at - 1,
      k: at - 1,
      PageDown: at + page,
      PageUp: at - page,
      Home: 0,
      End: last,
    };
    const goal = goals[event.key];
    if (event.key === 'Enter') this.openSelected();
    else if (goal !== undefined) this.select(Math.min(last, Math.max(0, goal)));
    else return;
    event.preventDefault();
  }

  private select(index: number): void {
    const item = this.items[index];
    if (item === undefined) return;
    this.selected = this.shape.keyOf(item);
    const { rowHeight } = this.shape;
    const { scrollTop, clientHeight } = this.element;
    const top = index * rowHeight;
    if (top < scrollTop) this.element.scrollTop = top;
    else if (top + rowHeight > scrollTop + clientHeight) this.element.scrollTop = top + rowHeight - clientHeight;
    this.draw();
  }

  private openSelected(): void {
    const item = this.items.find((one) => this.shape.keyOf(one) === this.selected);
    if (item !== undefined) this.shape.open(item);
  }
}
