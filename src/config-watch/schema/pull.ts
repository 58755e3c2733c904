// The user's keys about whoever fetches messages.
import { Whole } from './rules.js';

export class PullSection {
  /** Requests that may wait for messages at the same moment; more are told to come back later. */
  @Whole(0, 1_000_000)
  'pull.max.waiting': number = 10_000;

  /** The longest that a request may wait, whatever it asks for. */
  @Whole(0, 3_600_000, 'milliseconds')
  'pull.max.wait': number = 60_000;
}
