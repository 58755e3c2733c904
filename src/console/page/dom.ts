// Elements in code. Whatever comes from outside becomes text here, never markup: there is no other way in.

type Child = Node | string | number | null | false;

interface Props {
  readonly class?: string;
  readonly title?: string;
  readonly attrs?: Readonly<Record<string, string>>;
  readonly on?: Readonly<Record<string, (event: Event) => void>>;
}

export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  { class: name, title, attrs = {}, on = {} }: Props = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (name !== undefined) element.className = name;
  if (title !== undefined) element.title = title;
  for (const [key, value] of Object.entries(attrs)) element.setAttribute(key, value);
  for (const [event, listener] of Object.entries(on)) element.addEventListener(event, listener);
  element.append(...children.filter((child) => child !== null && child !== false).map(nodeOf));
  return element;
}

const nodeOf = (child: Node | string | number): Node | string => (typeof child === 'number' ? String(child) : child);

/** Touches the page only where something changed. */
export function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

export function setClass(element: HTMLElement, name: string): void {
  if (element.className !== name) element.className = name;
}

export function setTitle(element: HTMLElement, title: string): void {
  if (element.title !== title) element.title = title;
}

/** A link within the page. */
export const link = (to: string, text: string, name = ''): HTMLAnchorElement =>
  el('a', { class: name, attrs: { href: to } }, text);

/** The address of a view of this page; what is put into it is made harmless. */
export const place = (...parts: readonly string[]): string => `#/${parts.map(encodeURIComponent).join('/')}`;

export function button(text: string, name: string, click: () => void): HTMLButtonElement {
  return el('button', { class: name, attrs: { type: 'button' }, on: { click } }, text);
}

export interface Row<T> {
  readonly element: HTMLElement;
  update(item: T): void;
}

/** A list whose elements stay as long as their items do, so that nothing flickers and what has the focus keeps it. */
export class Keyed<T> {
  private rows = new Map<string, Row<T>>();

  constructor(
    private readonly parent: HTMLElement,
    private readonly keyOf: (item: T) => string,
    private readonly make: (item: T) => Row<T>,
  ) {}

  show(items: readonly T[]): void {
    const next = new Map<string, Row<T>>();
    for (const item of items) {
      const key = this.keyOf(item);
      const row = this.rows.get(key) ?? this.make(item);
      row.update(item);
      next.set(key, row);
    }
    for (const [key, row] of this.rows) if (!next.has(key)) row.element.remove();
    let at = 0;
    for (const { element } of next.values()) {
      const there = this.parent.children[at] ?? null;
      if (there !== element) this.parent.insertBefore(element, there);
      at += 1;
    }
    this.rows = next;
  }
}
