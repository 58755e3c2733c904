// The user's keys about half messages: transactions that a producer commits, rolls back, or is asked about.
import { ttlEnds } from '../settings.js';
import { dayMs, Flag, OneOf, Optional, Positive, SigningSecrets, Whole } from './rules.js';

const longestTtlMs = 366 * dayMs;

export class TransactionSection {
  /** Serves /v1/transactions; takes topics of bigpipe's own. */
  @Flag()
  'transaction.enabled': boolean = false;

  /** Milliseconds for which a new transaction is not asked about, unless it says so itself. */
  @Whole(0, longestTtlMs, 'milliseconds')
  'transaction.first.check': number = 6000;

  /** The wait after the first check that decides nothing; each further one is twice as long, less up to a fifth by chance. */
  @Whole(10, dayMs, 'milliseconds')
  'transaction.check.interval': number = 30_000;

  /** No wait between two checks is longer. */
  @Whole(10, dayMs, 'milliseconds')
  'transaction.check.interval.max': number = 600_000;

  /** Checks that were sent and decided nothing; then the transaction is in doubt, and only its producer or an operator decides. */
  @Whole(1, 1000)
  'transaction.max.checks': number = 15;

  /** Milliseconds in which a producer must answer. */
  @Whole(1, dayMs, 'milliseconds')
  'transaction.check.timeout': number = 5000;

  /** Checks a second, to all producers together. */
  @Positive(1_000_000)
  'transaction.check.rate': number = 200;

  /** How long a transaction may be undecided. */
  @Whole(1000, longestTtlMs, 'milliseconds')
  'transaction.ttl': number = 604_800_000;

  /** What then becomes of it: rolled back and kept as dead letters, rolled back, or committed. */
  @OneOf(ttlEnds)
  'transaction.on.ttl': (typeof ttlEnds)[number] = 'dead-letter';

  /** Undecided transactions at the same moment, some 300 bytes of memory each; more are told to come back later. */
  @Whole(1, 10_000_000)
  'transaction.max.undecided': number = 200_000;

  /** How long it is known how a transaction was decided. Its messages stay in the log as long. */
  @Whole(1000, longestTtlMs, 'milliseconds')
  'transaction.remember': number = dayMs;

  /** Decided transactions that are known at the same moment; beyond them the oldest are forgotten. */
  @Whole(0, 10_000_000)
  'transaction.max.remembered': number = 100_000;

  /** Checks are signed with each of them, as Standard Webhooks has it; not at all when absent. */
  @Optional()
  @SigningSecrets()
  'transaction.signing.secrets'?: string[];
}
