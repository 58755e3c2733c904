// The page: its head with the verdict, one view at a time, the keyboard, and the stream that feeds them.
import type { DestinationList, Sample } from './answers.js';
import { Api } from './api.js';
import type { Columns } from './charts.js';
import { CurveStore } from './curve-store.js';
import { openDeadLetters } from './dead-letters.view.js';
import { openDestinations } from './destinations.view.js';
import { el } from './dom.js';
import { openFailures } from './failures.view.js';
import { Head, type Tab } from './head.js';
import { onKeys } from './keys.js';
import { LiveStream } from './live-stream.js';
import { openMessage } from './message.view.js';
import { openOverview } from './overview.view.js';
import { openSettings } from './settings.view.js';
import { signIn } from './sign-in.js';
import { openSubscriptions } from './subscriptions.view.js';
import { findings } from './verdict.js';
import type { OpenView, Page, View } from './view.js';

const tabs: readonly (Tab & { readonly open: OpenView })[] = [
  { name: '', label: 'Overview', open: openOverview },
  { name: 'destinations', label: 'Destinations', open: openDestinations },
  { name: 'subscriptions', label: 'Subscriptions', open: openSubscriptions },
  { name: 'failures', label: 'Failures', open: openFailures },
  { name: 'dead-letters', label: 'Dead letters', open: openDeadLetters },
  { name: 'message', label: 'Message', open: openMessage },
  { name: 'settings', label: 'Settings', open: openSettings },
];

class Console implements Page {
  newest: Sample | null = null;
  readonly api = new Api(() => this.askForToken());
  private readonly main = el('main');
  private readonly head = new Head(tabs);
  private readonly curves = new CurveStore();
  private readonly stream = new LiveStream(this.api, {
    event: (name, data) => this.took(name, data),
    broken: (why) => this.head.connection(why),
  });
  private view: View | null = null;
  private match: string | null = null;
  private signedOut = false;

  start(): void {
    document.body.replaceChildren(this.head.element, this.main);
    addEventListener('hashchange', () => this.show());
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.tellCurves());
    onKeys({
      tab: (index) => location.assign(`#/${tabs[index]?.name ?? ''}`),
      search: () => location.assign('#/message'),
      theme: () => this.turnTheme(),
      help: () => this.head.help(),
    });
    this.head.onTheme = () => this.turnTheme();
    this.show();
    this.stream.open(this.match);
  }

  listDestinations(match: string | null): void {
    if (match === this.match) return;
    this.match = match;
    this.stream.open(match);
  }

  private show(): void {
    if (this.signedOut) return;
    const [name = '', ...rest] = location.hash.replace(/^#\/?/, '').split('/').map(decoded);
    const tab = tabs.find((one) => one.name === name) ?? (tabs[0] as (typeof tabs)[number]);
    this.view?.close?.();
    const view = tab.open(this, rest);
    this.view = view;
    this.main.replaceChildren(view.element);
    this.head.select(tab);
    document.title = `${tab.label} · bigpipe`;
    if (this.newest !== null) view.sample?.(this.newest);
    this.tellCurves();
    view.focus?.();
  }

  private took(name: string, data: unknown): void {
    if (name === 'curves') this.curves.begin(data as Columns);
    else if (name === 'destinations') this.view?.destinations?.(data as DestinationList);
    else if (name === 'sample') this.tookSample(data as Sample);
    if (name !== 'destinations') this.tellCurves();
  }

  private tookSample(sample: Sample): void {
    this.newest = sample;
    this.curves.add(sample);
    this.head.verdict(findings(sample, this.curves.waitedAMinuteAgo));
    this.view?.sample?.(sample);
  }

  private tellCurves(): void {
    this.view?.curves?.(this.curves.columns);
  }

  private turnTheme(): void {
    const root = document.documentElement;
    const isDark =
      root.dataset['theme'] === 'dark' ||
      (root.dataset['theme'] === undefined && matchMedia('(prefers-color-scheme: dark)').matches);
    root.dataset['theme'] = isDark ? 'light' : 'dark';
    localStorage.setItem('bigpipe.theme', root.dataset['theme']);
    this.tellCurves();
  }

  private askForToken(): void {
    if (this.signedOut) return;
    this.signedOut = true;
    this.stream.close();
    this.view?.close?.();
    this.view = null;
    const form = signIn(this.api, () => {
      this.signedOut = false;
      document.body.replaceChildren(this.head.element, this.main);
      this.show();
      this.stream.open(this.match);
    });
    document.body.replaceChildren(form);
  }
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

new Console().start();
