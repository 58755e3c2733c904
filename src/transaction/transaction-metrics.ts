// What /metrics says of transactions.
import type { Metrics } from '../stats/metrics/metrics.js';

/** Of /stats' section. */
export interface TransactionFigures {
  readonly begun: number;
  readonly committed: number;
  readonly rolledBack: number;
  readonly undecided: number;
  readonly inDoubt: number;
  readonly finishing: number;
  readonly oldestMs: number;
  readonly checksAsked: number;
}

/** `figures` null: transactions are switched off, and nothing is said of them. */
export function registerTransactions(metrics: Metrics, figures: () => TransactionFigures | null): void {
  metrics.register({
    shapes: [
      {
        name: 'bigpipe_transactions',
        help: 'Transactions that are not at their end, as this node knows them; each node knows all',
        type: 'gauge',
        labels: ['state'],
      },
      {
        name: 'bigpipe_transaction_oldest_seconds',
        help: 'Age of the oldest undecided transaction, 0 for none',
        type: 'gauge',
        labels: [],
      },
      {
        name: 'bigpipe_transaction_checks_total',
        help: 'Questions to producers that this node has put',
        type: 'counter',
        labels: [],
      },
    ],
    read: (add) => {
      const now = figures();
      if (now === null) return;
      add('bigpipe_transactions', now.undecided - now.inDoubt, 'undecided');
      add('bigpipe_transactions', now.inDoubt, 'in-doubt');
      add('bigpipe_transactions', now.finishing, 'finishing');
      add('bigpipe_transaction_oldest_seconds', now.oldestMs / 1000);
      add('bigpipe_transaction_checks_total', now.checksAsked);
    },
  });
}
