// Who waits for messages, who gets them, and how a hold on one ends.
import { expect, test } from 'vitest';
import type { Delivery } from '#src/message/delivery.js';
import type { Outcome } from '#src/message/outcome.js';
import type { Lease } from '#src/target/mailbox/lease.js';
import type { Mailboxes } from '#src/target/mailbox/mailboxes.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { newMailboxes } from '../../../support/mailboxes.js';

const clock = new FakeClock(1_000_000);

const deliveryOf = (body: string | Buffer) =>
  ({
    source: { body: Buffer.from(body), headers: {} },
    settings: { timeoutMs: 1000 },
    replyTo: null,
    callbackUrl: null,
  }) as unknown as Delivery;

/** A dispatcher that has these messages ready, and their outcomes by body. */
function supply(mailboxes: Mailboxes, ...bodies: (string | Buffer)[]) {
  const mailbox = mailboxes.of('G');
  const abort = new AbortController();
  const outcomes: Outcome[] = [];
  const wake = () => {
    while (bodies.length > 0 && mailbox.promise()) {
      void mailbox.give(deliveryOf(bodies.shift() as string), abort.signal).then((outcome) => outcomes.push(outcome));
    }
  };
  mailbox.listen(wake);
  const add = (...more: string[]) => {
    bodies.push(...more);
    wake();
  };
  return { mailbox, abort, outcomes, add };
}

const order = { caller: 'me', max: 10, waitMs: 0, leaseMs: null };
const never = () => new AbortController().signal;
const bodiesOf = (leases: readonly Lease[]) => leases.map(({ delivery }) => delivery.source.body.toString());
const turn = () => new Promise((resolve) => setImmediate(resolve));

test('those who wait get messages in the order in which they came, each as many as he wants', async () => {
  const mailboxes = newMailboxes(clock);
  const { add } = supply(mailboxes);
  const first = mailboxes.pull('G', { ...order, max: 2, waitMs: 1000 }, never());
  const second = mailboxes.pull('G', { ...order, waitMs: 1000 }, never());
  add('a', 'b', 'c');
  expect([bodiesOf(await first), bodiesOf(await second)]).toEqual([['a', 'b'], ['c']]);
});

test('nobody is given what he did not ask for, or does not ask for any more', async () => {
  const mailboxes = newMailboxes(clock);
  const { add, mailbox } = supply(mailboxes);
  const gone = new AbortController();
  const tired = mailboxes.pull('G', { ...order, waitMs: 1000 }, never());
  const left = mailboxes.pull('G', { ...order, waitMs: 1000 }, gone.signal);
  gone.abort();
  clock.advance(1000);
  expect([await tired, await left]).toEqual([[], []]);
  add('a');
  await turn();
  expect(mailbox.leased).toBe(0);
  expect(bodiesOf(await mailboxes.pull('G', order, never()))).toEqual(['a']);
});

test('an answer ends with the message that makes it too long', async () => {
  const mailboxes = newMailboxes(clock);
  const half = Buffer.alloc(2_500_000);
  supply(mailboxes, half, half, half);
  expect((await mailboxes.pull('G', order, never())).length).toBe(2);
});

test('ten thousand wait, and the next one does not', async () => {
  const mailboxes = newMailboxes(clock, { maxWaiting: 10_000 });
  const { add } = supply(mailboxes);
  const waiting = Array.from({ length: 10_000 }, () => mailboxes.pull('G', { ...order, max: 1, waitMs: 500 }, never()));
  await expect(mailboxes.pull('G', { ...order, waitMs: 500 }, never())).rejects.toMatchObject({ code: 'overloaded' });
  add(...Array.from({ length: 5000 }, (_, i) => `m${i}`));
  mailboxes.stopWaiting();
  const got = await Promise.all(waiting);
  expect(got.map((leases) => leases.length)).toEqual([...Array(5000).fill(1), ...Array(5000).fill(0)]);
  await expect(mailboxes.pull('G', order, never())).rejects.toMatchObject({ code: 'closed' });
});

test('a lease ends once: by its ack, by its time, with its partition', async () => {
  const mailboxes = newMailboxes(clock);
  const { mailbox, outcomes, abort } = supply(mailboxes, 'a', 'b', 'c');
  const [a, b, c] = (await mailboxes.pull('G', order, never())).map(({ id }) => id) as [string, string, string];
  expect(mailbox.ack(a, 'you')).toMatchObject({ code: 'not-yours' });
  expect(mailbox.ack(a, 'me')).toBeNull();
  expect(mailbox.extend(c, 'me', 5000)).toBeNull();
  clock.advance(1000);
  // Late as a whole, it looks once more for what may have come meanwhile.
  clock.advance(0);
  await turn();
  expect(outcomes.map((outcome) => [outcome.kind, 'reason' in outcome ? outcome.reason : ''])).toEqual([
    ['delivered', ''],
    ['retry', 'lease'],
  ]);
  expect([mailbox.nack(b, 'me', { waitMs: 0, isRejected: false, detail: '' }), mailbox.ack(a, 'me')]).toMatchObject([
    { code: 'over' },
    null,
  ]);
  expect(mailbox.ack(a, 'you')).toMatchObject({ code: 'not-yours' });
  abort.abort();
  await turn();
  expect(outcomes[2]).toEqual({ kind: 'aborted' });
  expect(mailbox.extend(c, 'me', 5000)).toMatchObject({ code: 'over', detail: 'the lease is over: taken back' });
  expect(mailbox.ack('x', 'me')).toMatchObject({ code: 'unknown' });
});

test('subscriptions of one group are asked in turn', async () => {
  const mailboxes = newMailboxes(clock);
  supply(mailboxes, 'a1', 'a2', 'a3');
  supply(mailboxes, 'b1', 'b2', 'b3');
  const got = [];
  for (let i = 0; i < 4; i += 1) got.push(...bodiesOf(await mailboxes.pull('G', { ...order, max: 1 }, never())));
  expect(got).toEqual(['a1', 'b1', 'a2', 'b2']);
});
