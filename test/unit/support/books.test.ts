// The books themselves: invented histories, each of which they must judge rightly.
import { expect, test } from 'vitest';
import { type Attempt, Books } from '../../support/chaos/books.ts';
import { scheduleOf } from '../../support/chaos/nemesis.ts';
import { faultKinds } from '../../support/chaos/tally.ts';
import { Seeded } from '../../support/seeded.ts';

let now = 0;

function newBooks(keptDeliveries = 1000): Books {
  now = 0;
  const books = new Books({ givingUp: new Set(['brief']), keptDeliveries, now: () => now });
  books.started();
  return books;
}

function accept(books: Books, key = 'k1', destination = 0, topic = 't'): string {
  const id = books.sending(topic, destination, key);
  books.answered(id, 'accepted');
  return id;
}

interface Words {
  readonly redelivery?: string;
  readonly attempt?: number;
  readonly isWhole?: boolean;
}

function arrive(books: Books, id: string, { redelivery, attempt = 1, isWhole = true }: Words = {}): Attempt {
  return books.arrives({ id, attempt, maxAttempts: 3, redelivery: redelivery ?? null, isWhole });
}

const deliver = (books: Books, id: string, words: Words = {}) => books.ended(arrive(books, id, words), 'delivered');

const faultsOf = (books: Books) =>
  Object.fromEntries(faultKinds.map((kind) => [kind, books.tally.count(kind)]).filter(([, n]) => n !== 0));

test('a good history has no faults, also when a call comes before its answer', () => {
  const books = newBooks();
  const [a, b] = [accept(books), accept(books)];
  books.ended(arrive(books, a), 'failed');
  deliver(books, a, { redelivery: 'status', attempt: 2 });
  deliver(books, b);
  const early = books.sending('t', 0, 'k1');
  deliver(books, early);
  books.answered(early, 'accepted');
  expect(faultsOf(books)).toEqual({});
  expect(books.missing()).toEqual([]);
  expect([books.tally.accepted, books.tally.delivered, books.open]).toEqual([3, 3, 0]);
});

test('a call that never comes is missing; one without an answer is not, nor a refused one', () => {
  const books = newBooks();
  const lost = accept(books);
  books.answered(books.sending('t', 0, ''), 'unknown');
  books.refusedCall(books.sending('t', 0, ''), 'storage-full');
  books.ended(arrive(books, lost), 'failed');
  expect(books.missing()).toEqual([lost]);
  expect(books.open).toBe(1);
});

test('a later call before an earlier one of its lane is told, at its arrival and at the late delivery', () => {
  const books = newBooks();
  const [a, b] = [accept(books), accept(books)];
  deliver(books, b);
  deliver(books, a);
  expect(faultsOf(books)).toEqual({ early: 1, late: 1 });
});

test('other keys, other destinations and calls without a key may overtake', () => {
  const books = newBooks();
  accept(books, 'k1', 0);
  deliver(books, accept(books, 'k2', 0));
  deliver(books, accept(books, 'k1', 1));
  accept(books, '');
  deliver(books, accept(books, ''));
  expect(faultsOf(books)).toEqual({});
});

test('a repeat of an older call is no violation when it says why, and counts by its cause', () => {
  const books = newBooks();
  const [a, b] = [accept(books), accept(books)];
  deliver(books, a);
  deliver(books, b);
  now = 30;
  books.killed();
  books.started();
  deliver(books, a, { redelivery: 'crash' });
  expect(faultsOf(books)).toEqual({});
  expect(Object.fromEntries(books.tally.duplicates)).toEqual({ crash: 1 });
  expect(books.tally.oldestCrashRepeatMs).toBe(30);
});

test('a repeat without a word is told, also of a call that the books have forgotten', () => {
  const books = newBooks(1);
  const [a, b] = [accept(books), accept(books)];
  deliver(books, a);
  deliver(books, b);
  deliver(books, b);
  deliver(books, a);
  expect(faultsOf(books)).toEqual({ unnamed: 2 });
  expect(Object.fromEntries(books.tally.duplicates)).toEqual({ unnamed: 2 });
});

test('a repeat as crash of what a life delivered that was not killed is told', () => {
  const books = newBooks();
  const a = accept(books);
  deliver(books, a);
  books.started();
  deliver(books, a, { redelivery: 'crash' });
  expect(faultsOf(books)).toEqual({ 'crash-without-kill': 1 });
});

test('two attempts of a lane at once are told once the first is answered; one that was cut was over', () => {
  const books = newBooks();
  const [a, b] = [accept(books), accept(books)];
  const cut = arrive(books, a);
  const first = arrive(books, a, { redelivery: 'timeout', attempt: 2 });
  books.ended(cut, 'broken');
  expect(faultsOf(books)).toEqual({});
  const second = arrive(books, a, { redelivery: 'timeout', attempt: 3 });
  books.ended(first, 'delivered');
  expect(faultsOf(books)).toEqual({ overlap: 1 });
  books.ended(second, 'delivered');
  deliver(books, b);
  expect(faultsOf(books)).toEqual({ overlap: 1 });
});

test('what comes behind a call that its receiver gave reason to bury is in order, and so is the buried one, sent again', () => {
  const books = newBooks();
  const [a, b, c] = [accept(books), accept(books), accept(books)];
  books.ended(arrive(books, a), 'rejected');
  books.ended(arrive(books, b, { attempt: 3, redelivery: 'status' }), 'failed');
  deliver(books, c);
  deliver(books, a, { redelivery: 'redrive' });
  deliver(books, b, { redelivery: 'redrive' });
  expect(faultsOf(books)).toEqual({});
});

test('calls to a receiver that cannot be reached may be given up unseen, where calls are given up', () => {
  for (const topic of ['brief', 't']) {
    const books = newBooks();
    accept(books, 'k1', 0, topic);
    books.unreachable(0);
    accept(books, 'k1', 0, topic);
    books.reachable(0);
    deliver(books, accept(books, 'k1', 0, topic));
    expect(faultsOf(books)).toEqual(topic === 'brief' ? {} : { early: 1 });
  }
});

test('another body, a refused call that comes, and one that was never sent are told', () => {
  const books = newBooks();
  deliver(books, accept(books), { isWhole: false });
  const refused = books.sending('t', 0, '');
  books.refusedCall(refused, 'storage-full');
  deliver(books, refused);
  deliver(books, 't:d0:k1:99');
  expect(books.tally.count('changed')).toBe(1);
  expect(books.tally.count('foreign')).toBe(2);
});

test('the longest stall is time without a delivery while something was open', () => {
  const books = newBooks();
  now = 1000;
  const a = accept(books);
  now = 1400;
  deliver(books, a);
  now = 9000;
  deliver(books, accept(books));
  expect(books.tally.longestStallMs).toBe(400);
});

test('the same seed gives the same schedule, another one another', () => {
  const first = (seed: number) => {
    const steps = scheduleOf(new Seeded(seed), { kill: 2, term: 1, stop: 1 }, 1000);
    return Array.from({ length: 50 }, () => {
      const { name, afterAnswers, random } = steps.next().value as ReturnType<typeof steps.next>['value'];
      return `${name} ${afterAnswers} ${random.below(1000)}`;
    });
  };
  expect(first(7)).toEqual(first(7));
  expect(first(7)).not.toEqual(first(8));
});
