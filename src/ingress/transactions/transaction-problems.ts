// Why a transaction is not begun, shown or decided, for all doors.
import type { TransactionView } from '../../transaction/transactions.js';
import { type Problem, problemOf } from '../messages/problem.js';

export const switchedOff = problemOf('not-found', 'transactions are switched off (transaction.enabled)');

/** Somebody else's transaction is answered as one that is not there. */
export const notThere = problemOf(
  'not-found',
  'this caller has begun no such transaction, or it is decided too long ago',
);

/** It is decided otherwise. */
export function contraryOf({ state, decidedBy }: TransactionView): Problem {
  return { ...problemOf('already-decided', `the transaction is ${state}, decided by: ${decidedBy}`), state };
}
