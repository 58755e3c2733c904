// What every view of the page is, and what it is given.

import type { DestinationList, Sample } from './answers.js';
import type { Api } from './api.js';
import type { Columns } from './charts.js';

export interface View {
  readonly element: HTMLElement;
  /** The newest sample, once a second. */
  sample?(sample: Sample): void;
  curves?(columns: Columns): void;
  destinations?(list: DestinationList): void;
  /** Where the keyboard goes when the view is opened. */
  focus?(): void;
  close?(): void;
}

/** What a view may ask of the page around it. */
export interface Page {
  readonly api: Api;
  /** The stream also lists destinations, those whose name has the text in it; null: none. */
  listDestinations(match: string | null): void;
  readonly newest: Sample | null;
}

/** One view; `rest`: the parts of the address behind its name. */
export type OpenView = (page: Page, rest: readonly string[]) => View;
