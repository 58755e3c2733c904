// What /metrics says of half messages; they stand on the node that keeps the transactions.
import type { Metrics } from '../stats/metrics/metrics.js';

export interface TransactionFigures {
  readonly undecided: number;
  readonly inDoubt: number;
  readonly finishing: number;
  /** Of the undecided ones. */
  readonly oldestMs: number;
  readonly committed: number;
  readonly rolledBack: number;
}

export function registerTransactions(metrics: Metrics, figures: () => TransactionFigures): void {
  metrics.register({
    shapes: [
      {
        name: 'bigpipe_half_messages',
        help: 'Half messages by state: undecided, in doubt (all checks were in vain), finishing',
        type: 'gauge',
        labels: ['state'],
      },
      {
        name: 'bigpipe_half_message_oldest_age_seconds',
        help: 'Age of the oldest undecided half message; 0 for none',
        type: 'gauge',
        labels: [],
      },
      {
        name: 'bigpipe_transactions_total',
        help: 'Transactions that were decided',
        type: 'counter',
        labels: ['decision'],
      },
    ],
    read: (add) => {
      const { undecided, inDoubt, finishing, oldestMs, committed, rolledBack } = figures();
      add('bigpipe_half_messages', undecided - inDoubt, 'undecided');
      add('bigpipe_half_messages', inDoubt, 'in doubt');
      add('bigpipe_half_messages', finishing, 'finishing');
      add('bigpipe_half_message_oldest_age_seconds', oldestMs / 1000);
      add('bigpipe_transactions_total', committed, 'committed');
      add('bigpipe_transactions_total', rolledBack, 'rolled back');
    },
  });
}
