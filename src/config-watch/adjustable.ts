// What a module implements that follows the settings while the process runs.
import type { Settings } from './settings.js';

/** Registered with ConfigWatch once, in the order in which changes must reach the modules. */
export interface Adjustable {
  /** For the log and for refusals, like "acl". */
  readonly name: string;

  /**
   * Reasons against `next`, each a line that names what and why; none: it may come. Changes nothing and keeps nothing.
   * One that throws counts as a reason.
   */
  veto?(next: Settings, current: Settings): readonly string[];

  /**
   * Makes `next` hold, without losing what it counts, holds or waits for. `current` is what this module was adjusted
   * to last, so that a module whose adjust failed sees its whole way. It may be given settings in which nothing of its
   * own has changed. It ends within a minute: what takes longer (a drain) it begins and does not wait for.
   */
  adjust?(next: Settings, current: Settings): void | Promise<void>;
}
