// What stands above every view: where one may go, whether the page is connected, and the verdict.
import { openDialog } from './dialog.js';
import { button, el, Keyed, type Row, setClass, setText } from './dom.js';
import { facts } from './parts.js';
import type { Finding } from './verdict.js';

export interface Tab {
  /** In the address; empty for the first. */
  readonly name: string;
  readonly label: string;
}

/** More would hide the view. */
const maxFindings = 4;

export class Head {
  readonly element: HTMLElement;
  onTheme: () => void = () => undefined;
  private readonly links: readonly HTMLAnchorElement[];
  private readonly lamp = el('span', { class: 'lamp', attrs: { role: 'status' } }, 'connecting');
  private readonly verdictBar = el('div', {
    class: 'verdict',
    attrs: { role: 'region', 'aria-label': 'what is wrong' },
  });
  private readonly rows = new Keyed<Finding>(
    this.verdictBar,
    ({ level, to, text }) => `${level} ${to} ${text.replace(/\d+/g, '')}`,
    findingRow,
  );

  constructor(private readonly tabs: readonly Tab[]) {
    this.links = tabs.map(({ name, label }, i) =>
      el('a', { attrs: { href: `#/${name}`, title: `${label} (${i + 1})` } }, label),
    );
    const theme = button('◐', 'quiet', () => this.onTheme());
    theme.title = 'light or dark (t)';
    theme.setAttribute('aria-label', theme.title);
    const help = button('?', 'quiet', () => this.help());
    help.title = 'keys (?)';
    help.setAttribute('aria-label', help.title);
    const brand = el('a', { class: 'brand', attrs: { href: '#/' } }, el('i', { class: 'mark' }), 'bigpipe');
    this.element = el(
      'header',
      { class: 'top' },
      el(
        'div',
        { class: 'bar' },
        brand,
        el('nav', { attrs: { 'aria-label': 'views' } }, ...this.links),
        el('div', { class: 'tools' }, this.lamp, help, theme),
      ),
      this.verdictBar,
    );
  }

  select(tab: Tab): void {
    this.links.forEach((one, i) => {
      if (this.tabs[i]?.name === tab.name) one.setAttribute('aria-current', 'page');
      else one.removeAttribute('aria-current');
    });
  }

  /** `why`: null while the stream flows. */
  connection(why: string | null): void {
    setClass(this.lamp, why === null ? 'lamp on' : 'lamp off');
    setText(this.lamp, why === null ? 'live' : why);
    document.body.classList.toggle('stale', why !== null);
  }

  verdict(findings: readonly Finding[]): void {
    this.rows.show(findings.slice(0, maxFindings));
  }

  help(): void {
    openDialog(
      'Keys',
      facts([
        ['1 … 7', this.tabs.map(({ label }) => label).join(', ')],
        ['/', 'look up a message'],
        ['↑ ↓ or j k', 'move in a list; also Page Up, Page Down, Home, End'],
        ['Enter', 'open what is selected'],
        ['Esc', 'close what is open'],
        ['t', 'light or dark'],
        ['?', 'this'],
      ]),
    );
  }
}

function findingRow({ level }: Finding): Row<Finding> {
  const element = el('a', { class: `finding ${level}` });
  return {
    element,
    update: ({ text, to }) => {
      setText(element, text);
      if (element.getAttribute('href') !== to) element.setAttribute('href', to);
    },
  };
}
