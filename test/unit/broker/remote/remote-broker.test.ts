// A worker's broker and the main process's end of its link: what is batched, bounded, refused and told.
import { duplexPair } from 'node:stream';
import { expect, test } from 'vitest';
import { RemoteBroker } from '#src/broker/drivers/remote/remote.broker.js';
import { RemoteAppends } from '#src/broker/drivers/remote/remote-appends.js';
import { BigpipeError } from '#src/message/errors.js';
import type { Acks, Message, Position } from '#src/message/message.js';
import { Admission } from '#src/producer/admission.js';
import { FakeClock } from '../../../support/fake-clock.js';
import { until } from '../../../support/until.js';

const facts = { durabilities: { '0': 'none', '1': 'disk', '-1': 'disk' }, appendsTogether: true } as const;

const messageOf = (body: string | Buffer, changes: Partial<Message> = {}): Message => ({
  topic: 'orders',
  key: null,
  body: Buffer.from(body),
  headers: {},
  ...changes,
});

/** A log that stores as it is told. */
class Log {
  readonly appends: { acks: Acks; messages: readonly Message[] }[] = [];
  hold: Promise<void> | null = null;
  refuse: (message: Message) => BigpipeError | null = () => null;
  private next = 0n;

  async append(messages: readonly Message[], acks: Acks): Promise<readonly (Position | null)[]> {
    this.appends.push({ acks, messages });
    const refused = messages.map(this.refuse).find((error) => error !== null);
    if (refused !== undefined && refused !== null) throw refused;
    const positions = messages.map(({ topic }) => {
      this.next += 1n;
      return { topic, partition: 2, offset: this.next - 1n };
    });
    if (this.hold !== null) await this.hold;
    return acks === 0 ? positions.map(() => null) : positions;
  }

  get bodies(): string[][] {
    return this.appends.map(({ messages }) => messages.map(({ body }) => body.toString()));
  }
}

const wide = () => new Admission(1000, 1_000_000_000);

/** `loopEvents` never changes: a loop in which nothing else happens. */
function pair(log = new Log(), admission = wide(), loopEvents = () => 0, clock = new FakeClock()) {
  const [near, far] = duplexPair();
  const reports: string[] = [];
  new RemoteAppends(far, log, admission, (text) => reports.push(text));
  return { broker: new RemoteBroker(near, facts, clock, loopEvents), log, near, far, reports };
}

test('what is appended in one turn of the event loop arrives as one append, in its order', async () => {
  const { broker, log } = pair();
  const positions = await Promise.all(['a', 'b', 'c'].map((body) => broker.append([messageOf(body)], -1)));
  expect(log.bodies).toEqual([['a', 'b', 'c']]);
  expect(positions.flat().map((position) => position?.offset)).toEqual([0n, 1n, 2n]);
});

test('while the loop is busy, what is appended in the next turns goes with it; where nothing happens it waits for nothing', async () => {
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  const appendInTurns = async (loopEvents: () => number) => {
    const { broker, log } = pair(new Log(), wide(), loopEvents);
    const appends: Promise<unknown>[] = [];
    for (let i = 0; i < 5; i += 1) {
      appends.push(broker.append([messageOf(`${i}`)], -1));
      await turn();
    }
    await Promise.all(appends);
    return log.appends.length;
  };
  let events = 0;
  const busy = () => {
    events += 1;
    return events;
  };
  expect(await appendInTurns(busy)).toBe(1);
  expect(await appendInTurns(() => 0)).toBeGreaterThan(1);
});

test('a busy loop does not hold back what is enough, or has waited long enough', async () => {
  let events = 0;
  const busy = () => {
    events += 1;
    return events;
  };
  const clock = new FakeClock();
  const { broker, log } = pair(new Log(), wide(), busy, clock);
  void broker.append([messageOf(Buffer.alloc(70_000))], -1);
  const turns = async (until: number) => {
    let count = 0;
    for (; log.appends.length < until && count < 100; count += 1) await new Promise((resolve) => setImmediate(resolve));
    return count;
  };
  const large = await turns(1);
  void broker.append([messageOf('small')], -1);
  const small = await turns(2);
  void broker.append([messageOf('late')], -1);
  await new Promise((resolve) => setImmediate(resolve));
  clock.advance(3);
  const late = await turns(3);
  expect(log.appends.length).toBe(3);
  expect([large < small, late < small]).toEqual([true, true]);
});

test('an append of several messages stays one, and its positions are its own', async () => {
  const { broker } = pair();
  const [one, two] = await Promise.all([
    broker.append([messageOf('a'), messageOf('b')], -1),
    broker.append([messageOf('c', { topic: 'bills' })], -1),
  ]);
  expect(one).toEqual([
    { topic: 'orders', partition: 2, offset: 0n },
    { topic: 'orders', partition: 2, offset: 1n },
  ]);
  expect(two).toEqual([{ topic: 'bills', partition: 2, offset: 2n }]);
});

test('levels keep their order among one another', async () => {
  const { broker, log } = pair();
  await Promise.all(([-1, -1, 1, 0, -1] as const).map((acks, i) => broker.append([messageOf(`${i}`)], acks)));
  await until('all have arrived', () => log.bodies.flat().length === 5);
  expect(log.appends.map(({ acks }) => acks)).toEqual([-1, 1, 0, -1]);
  expect(log.bodies).toEqual([['0', '1'], ['2'], ['3'], ['4']]);
});

test('one bad message refuses its own append, and not those beside it', async () => {
  const log = new Log();
  log.refuse = ({ topic }) => (topic === 'nope' ? new BigpipeError('unknown-topic', 'there is no topic nope') : null);
  const { broker } = pair(log);
  const ends = await Promise.allSettled([
    broker.append([messageOf('a')], -1),
    broker.append([messageOf('b'), messageOf('c', { topic: 'nope' })], -1),
    broker.append([messageOf('d')], -1),
  ]);
  expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect((ends[1] as PromiseRejectedResult).reason).toMatchObject({
    code: 'unknown-topic',
    message: 'there is no topic nope',
  });
});

test('a log that is full is told to everybody, and asked once', async () => {
  const log = new Log();
  log.refuse = () => new BigpipeError('storage-full', 'no room');
  const { broker } = pair(log);
  const ends = await Promise.allSettled([broker.append([messageOf('a')], -1), broker.append([messageOf('b')], -1)]);
  expect(ends.map((end) => (end as PromiseRejectedResult).reason.code)).toEqual(['storage-full', 'storage-full']);
  expect(log.appends.length).toBe(1);
});

test('at acks 0 the answer is there at once, what is refused is counted', async () => {
  const log = new Log();
  log.refuse = () => new BigpipeError('storage-full', 'no room');
  const { broker } = pair(log);
  expect(await broker.append([messageOf('a'), messageOf('b')], 0)).toEqual([null, null]);
  await until('the refusal has come', () => broker.counters.unacknowledgedLost === 2);
});

test('what waits for the main process is bounded, at acks 0 too; one message always fits', async () => {
  const log = new Log();
  let release: () => void = () => undefined;
  log.hold = new Promise((resolve) => {
    release = resolve;
  });
  const { broker } = pair(log);
  const large = messageOf(Buffer.alloc(40_000_000));
  const first = broker.append([large], -1);
  await expect(broker.append([large], -1)).rejects.toMatchObject({ code: 'overloaded' });
  await expect(broker.append([large], 0)).rejects.toMatchObject({ code: 'overloaded' });
  release();
  await first;
  expect((await broker.append([large], -1)).length).toBe(1);
});

test('workers together are let in as far as one bound allows, and again when some have left', async () => {
  const log = new Log();
  let release: () => void = () => undefined;
  log.hold = new Promise((resolve) => {
    release = resolve;
  });
  const admission = new Admission(3, 1_000_000);
  const [one, two] = [pair(log, admission).broker, pair(log, admission).broker];
  const inside = [one, one, two].map((broker, i) => broker.append([messageOf(`${i}`)], -1));
  await until('three are inside', () => log.bodies.flat().length === 3);
  await expect(two.append([messageOf('3')], -1)).rejects.toMatchObject({ code: 'overloaded' });
  release();
  expect((await Promise.all(inside)).length).toBe(3);
  await until('they have left', () => admission.size === 0);
  expect((await two.append([messageOf('4')], -1)).length).toBe(1);
});

test('what was refused has left too', async () => {
  const log = new Log();
  log.refuse = ({ topic }) => (topic === 'nope' ? new BigpipeError('unknown-topic', 'none') : null);
  const admission = wide();
  const { broker } = pair(log, admission);
  const bad = messageOf('b', { topic: 'nope' });
  await Promise.allSettled([broker.append([messageOf('a')], -1), broker.append([bad], -1), broker.append([bad], 0)]);
  await until('all have left', () => admission.size === 0);
});

test('when the main process is gone whoever waits is told, and nobody waits in vain later', async () => {
  const log = new Log();
  log.hold = new Promise(() => undefined);
  const { broker, near } = pair(log);
  const waiting = broker.append([messageOf('a')], -1);
  await until('it has arrived', () => log.appends.length === 1);
  near.destroy();
  await expect(waiting).rejects.toMatchObject({ code: 'closed', retriable: true });
  await expect(broker.append([messageOf('b')], -1)).rejects.toMatchObject({ code: 'closed' });
  expect(broker.health().ok).toBe(false);
  await broker.close();
});

test('an append that has come whole is stored though its worker is dead; a torn one is not', async () => {
  const { broker, log, near, far } = pair();
  const sent: Buffer[] = [];
  const whole = new RemoteBroker(
    Object.assign(near, {
      write: (bytes: Buffer) => {
        sent.push(bytes);
        return true;
      },
    }),
    facts,
    new FakeClock(),
  );
  void whole.append([messageOf('a')], -1).catch(() => undefined);
  void whole.append([messageOf('b')], -1).catch(() => undefined);
  await until('both were written', () => sent.length > 0);
  const bytes = sent[0] as Buffer;
  const other = new Log();
  const [worker, main] = duplexPair();
  new RemoteAppends(main, other, wide(), () => undefined);
  worker.end(bytes.subarray(0, bytes.length - 1));
  await until('the first is stored', () => other.bodies.length === 1);
  expect([other.bodies, log.bodies]).toEqual([[['a']], []]);
  far.destroy();
  await broker.close();
});

test('what makes no sense closes the link and is reported', async () => {
  const { near, far, reports } = pair();
  near.write(Buffer.from([9, 0, 0, 0, 1, 2, 3, 4, 5, 255, 255, 0, 0]));
  await until('the link is closed', () => far.destroyed);
  expect(reports).toEqual(['a worker sent what is no append; its link is closed']);
});

test('close waits for the answers', async () => {
  const log = new Log();
  let release: () => void = () => undefined;
  log.hold = new Promise((resolve) => {
    release = resolve;
  });
  const { broker } = pair(log);
  const order: string[] = [];
  const appended = broker.append([messageOf('a')], -1).then(() => order.push('answered'));
  const closed = broker.close().then(() => order.push('closed'));
  await expect(broker.append([messageOf('b')], -1)).rejects.toMatchObject({ code: 'closed' });
  release();
  await Promise.all([appended, closed]);
  expect(order).toEqual(['answered', 'closed']);
});

test('everything but an append is refused', async () => {
  const { broker } = pair();
  const only = 'a worker only appends';
  await expect(broker.join()).rejects.toThrow(only);
  await expect(broker.fetch()).rejects.toThrow(only);
  await expect(broker.ensureTopic()).rejects.toThrow(only);
  await expect(broker.check()).rejects.toThrow(only);
  expect(() => broker.lag()).toThrow(only);
});
