// One subscription at work: over the memory broker, with a clock and a target that the test moves.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Broker, GroupHandlers, Membership } from '#src/broker/broker.js';
import { MemoryBroker } from '#src/broker/drivers/memory/memory.broker.js';
import type { SubscriptionSettings } from '#src/config-watch/settings.js';
import { GroupRunner } from '#src/dispatcher/group-runner.js';
import { newClientCounters, newConsumerCounters } from '#src/dispatcher/subscription-counters.js';
import { CommitMoments } from '#src/dispatcher/window/commit-moments.js';
import type { Message } from '#src/message/message.js';
import { deadLetterTopic } from '#src/message/side-topic.js';
import { NoTracing } from '#src/stats/tracing/tracing.js';
import { FakeClock } from '../../support/fake-clock.js';
import { newGates } from '../../support/gates.js';
import { GroupLog } from '../../support/group-log.js';
import { newMeter } from '../../support/meter.js';
import { delivered, failed, rejected, ScriptedTarget } from '../../support/scripted-target.js';
import { fixed, newSubscription, perSecond } from '../../support/subscription.js';
import { until } from '../../support/until.js';

const topic = 'orders';
const group = 'G';
const base = newSubscription({ topic, groupId: group });

let clock: FakeClock;
let broker: Broker;
let target: ScriptedTarget;

beforeEach(async () => {
  clock = new FakeClock();
  broker = new MemoryBroker({ maxBytes: 1_000_000_000, clock, report: () => undefined });
  target = new ScriptedTarget();
  await broker.ensureTopic({ name: topic, partitions: 1, retention: 'standard' });
  await broker.ensureTopic({ name: deadLetterTopic(topic, group), partitions: 1, retention: 'keep' });
});

afterEach(() => broker.close());

async function run(changes: Partial<SubscriptionSettings> = {}) {
  const client = newClientCounters();
  const consumer = newConsumerCounters();
  const runner = new GroupRunner(
    { ...base, ...changes },
    {
      broker,
      clock,
      moments: new CommitMoments(clock),
      gates: newGates(clock),
      target,
      client,
      consumer,
      meter: newMeter(),
      tracing: new NoTracing(),
      isCancelled: () => false,
      attempted: () => undefined,
      seesAll: () => false,
      passedOver: () => undefined,
      replied: () => undefined,
      report: () => undefined,
    },
  );
  const handlers: GroupHandlers = {
    assigned: (membership, assignments) => runner.assigned(membership, assignments),
    messages: (_membership, batch) => runner.messages(batch),
    revoked: (_membership, partitions) => runner.revoked(partitions),
  };
  await runner.prepare();
  const membership: Membership = await broker.join(group, runner.topics, handlers);
  return { runner, client, consumer, membership };
}

const call = (body: string, key: string | null = null, url = 'http://a.example/'): Message => ({
  topic,
  key: key === null ? null : Buffer.from(key),
  body: Buffer.from(body),
  headers: { 'bigpipe-url': url, 'bigpipe-message-id': `id-${body}` },
});
const append = (...messages: Message[]) => broker.append(messages, -1);
const begun = (count: number) => until(`${count} attempts have begun`, () => target.begun.length >= count);
const committed = () => broker.lag(group, topic)[0]?.committed;

/** Commits come by a timer of the fake clock. */
async function committedUpTo(offset: bigint): Promise<void> {
  await until(`${offset} is committed`, () => {
    clock.advance(20);
    return committed() === offset;
  });
}

async function deadLetters(): Promise<Message[]> {
  const log = new GroupLog();
  const membership = await broker.join('reader', [deadLetterTopic(topic, group)], log);
  const end = broker.lag('reader', deadLetterTopic(topic, group))[0]?.highWatermark ?? 0n;
  await until('all dead letters are read', () => BigInt(log.received.length) === end);
  await membership.leave();
  return log.received;
}

describe('delivering', () => {
  test('what is delivered is committed', async () => {
    const { client, consumer } = await run();
    target.answer = () => delivered;
    await append(call('a'), call('b'), call('c'));
    await committedUpTo(3n);
    expect(client).toMatchObject({ rpcTotal: 3, rpcSuccess: 3, rpcFail: 0, rpcRetries: 0 });
    expect(consumer).toMatchObject({ handleMessage: 3, invalidMessage: 0 });
  });

  test('what is in flight is not committed, and what was settled above it is not repeated after a restart', async () => {
    const first = await run();
    await append(call('a'), call('b'), call('c'));
    await begun(3);
    target.end('b', delivered);
    target.end('c', delivered);
    await until('both are settled', () => first.client.rpcSuccess === 2);
    clock.advance(20);
    await first.membership.leave();
    const log = new GroupLog();
    const look = await broker.join(group, [topic], log);
    expect(log.assignments[0]?.start).toEqual({ offset: 0n, metadata: '2:c77:1.2~0.0.0.0.0.0.0' });
    await look.leave();
    await run();
    await begun(4);
    expect(target.begun[3]).toBe('a/1');
    clock.advance(1000);
    expect(target.begun.length).toBe(4);
  });

  test('no more than `concurrency` are in flight', async () => {
    await run({ concurrency: fixed(2) });
    await append(call('a'), call('b'), call('c'));
    await begun(2);
    expect(target.inFlight.length).toBe(2);
    target.end('a', delivered);
    await begun(3);
    expect(target.begun).toEqual(['a/1', 'b/1', 'c/1']);
  });

  test('no more than `rateLimit` a second begin, retries included', async () => {
    await run({ rate: perSecond(2), backoff: [1] });
    target.answer = ({ attempt }) => (attempt === 1 ? failed : delivered);
    await append(call('a'), call('b'), call('c'));
    await begun(2);
    clock.advance(499);
    await append(call('d'));
    expect(target.begun.length).toBe(2);
    for (let attempts = 3; attempts <= 8; attempts += 1) {
      clock.advance(attempts === 3 ? 1 : 500);
      await begun(attempts);
      expect(target.begun.length).toBe(attempts);
    }
  });
});

describe('order', () => {
  test('a key is serial for one destination; other keys, other destinations and no key are not held', async () => {
    await run();
    await append(
      call('k1', 'k'),
      call('k2', 'k'),
      call('other key', 'j'),
      call('other destination', 'k', 'http://b.example/'),
      call('no key 1'),
      call('no key 2'),
    );
    await begun(5);
    expect(target.begun).toEqual(['k1/1', 'other destination/1', 'other key/1', 'no key 1/1', 'no key 2/1']);
    target.end('k1', delivered);
    await begun(6);
    expect(target.begun[5]).toBe('k2/1');
  });

  test('a waiting retry holds its key and nothing else, not even a slot', async () => {
    await run({ concurrency: fixed(1) });
    await append(call('k1', 'k'), call('k2', 'k'), call('free'));
    await begun(1);
    target.end('k1', failed);
    await begun(2);
    expect(target.begun).toEqual(['k1/1', 'free/1']);
    target.end('free', delivered);
    clock.advance(100);
    await begun(3);
    target.end('k1', delivered);
    await begun(4);
    expect(target.begun).toEqual(['k1/1', 'free/1', 'k1/2', 'k2/1']);
  });
});

describe('giving up', () => {
  test('attempts are retries + 1, with growing waits; then the dead letter has it all, and the key goes on', async () => {
    const { client } = await run();
    target.answer = ({ source }) => (source.body.toString() === 'bad' ? failed : delivered);
    await append(call('bad', 'k'), call('next', 'k'));
    await begun(1);
    await until('it waits for its retry', () => clock.pending >= 1);
    await until('the second begins', () => {
      clock.advance(50);
      return target.begun.length >= 2;
    });
    await until('the fourth begins', () => {
      clock.advance(50);
      return target.begun.length >= 4;
    });
    expect(target.begun).toEqual(['bad/1', 'bad/2', 'bad/3', 'next/1']);
    await committedUpTo(2n);
    expect(client).toMatchObject({ rpcRetries: 2, rpcFail: 1, rpcSuccess: 1, deadLetters: 1 });
    const [letter] = await deadLetters();
    expect(letter?.body.toString()).toBe('bad');
    expect(letter?.key?.toString()).toBe('k');
    expect(letter?.headers).toMatchObject({
      'bigpipe-url': 'http://a.example/',
      'bigpipe-message-id': 'id-bad',
      'bigpipe-dlq-reason': 'exhausted',
      'bigpipe-dlq-status': '500',
      'bigpipe-dlq-answer': 'sorry',
      'bigpipe-dlq-attempts': '3',
      'bigpipe-dlq-topic': topic,
      'bigpipe-dlq-partition': '0',
      'bigpipe-dlq-offset': '0',
    });
  });

  test('a rejected one gets no second attempt', async () => {
    const { client } = await run();
    target.answer = () => rejected;
    await append(call('a'));
    await committedUpTo(1n);
    expect(target.begun).toEqual(['a/1']);
    expect(client).toMatchObject({ rpcFail: 1, rpcRetries: 0, deadLetters: 1 });
    expect((await deadLetters())[0]?.headers['bigpipe-dlq-reason']).toBe('rejected');
  });

  test('what cannot be a call goes to the dead letter without an attempt', async () => {
    const { consumer, client } = await run();
    target.answer = () => delivered;
    await append(
      { topic, key: null, body: Buffer.from('no url'), headers: {} },
      call('bad url', null, 'ftp://a.example/'),
      call('good'),
    );
    await committedUpTo(3n);
    expect(target.begun).toEqual(['good/1']);
    expect(consumer).toMatchObject({ handleMessage: 3, invalidMessage: 2 });
    expect(client).toMatchObject({ rpcTotal: 1, deadLetters: 2 });
    expect((await deadLetters()).map(({ headers }) => headers['bigpipe-dlq-reason'])).toEqual(['invalid', 'invalid']);
  });

  test('while the dead letter cannot be written the message stays unsettled', async () => {
    const full = new MemoryBroker({ maxBytes: 4050, clock, report: () => undefined });
    await broker.close();
    broker = full;
    await broker.ensureTopic({ name: topic, partitions: 1, retention: 'standard' });
    await broker.ensureTopic({ name: deadLetterTopic(topic, group), partitions: 1, retention: 'keep' });
    const { client, membership } = await run();
    await append(call('a'), call('b'), call('c'), call('filling'));
    await begun(4);
    for (const body of ['a', 'b', 'c']) target.end(body, rejected);
    await until('they were given up', () => client.rpcFail === 3);
    clock.advance(20);
    expect(committed()).toBe(0n);
    expect(client.deadLetters).toBe(0);
    // Room comes back: the bound was reached by messages that are settled meanwhile.
    await membership.commit({ topic, partition: 0 }, { offset: 3n, metadata: '' });
    await until('all three are written', () => {
      clock.advance(1000);
      return client.deadLetters === 3;
    });
  });
});

describe('reading on', () => {
  test('reads no more than its window while nothing is settled, and goes on as it empties', async () => {
    const { consumer } = await run({ concurrency: fixed(10) });
    await append(...Array.from({ length: 5000 }, (_, i) => call(`${i}`)));
    await begun(10);
    await until('the window is full', () => consumer.handleMessage >= 1024);
    const read = consumer.handleMessage;
    expect(read).toBeLessThan(1024 + 256);
    target.answer = () => delivered;
    for (const { end } of target.inFlight) end(delivered);
    await until('all are read', () => {
      clock.advance(20);
      return consumer.handleMessage === 5000;
    });
    await committedUpTo(5000n);
  });
});

describe('ending', () => {
  test('drain begins no attempt, waits for those in flight, commits, and leaves the rest for the next start', async () => {
    const { runner, client } = await run({ concurrency: fixed(2) });
    await append(call('a'), call('b'), call('c'));
    await begun(2);
    const drained = runner.drain();
    target.end('a', delivered);
    target.end('b', failed);
    await drained;
    expect(target.begun).toEqual(['a/1', 'b/1']);
    expect(client.rpcSuccess).toBe(1);
    expect(committed()).toBe(1n);
    expect(clock.pending).toBe(0);
  });

  test('drain does not wait longer than the timeout for an attempt, and does not count it as delivered', async () => {
    const { runner } = await run();
    await append(call('a'));
    await begun(1);
    const drained = runner.drain();
    await until('the bound is set', () => clock.pending > 0);
    clock.advance(10_000);
    await drained;
    expect(target.inFlight).toEqual([]);
    expect(committed()).toBe(0n);
  });

  test('a revoked partition waits for what is in flight, and is committed before it goes', async () => {
    await broker.ensureTopic({ name: topic, partitions: 2, retention: 'standard' });
    await run();
    await append({ ...call('a'), partition: 0 }, { ...call('b'), partition: 1 });
    await begun(2);
    const log = new GroupLog();
    let joined = false;
    const joining = broker.join(group, [topic], log).then(() => {
      joined = true;
    });
    await until('the bound of the hand-over is set', () => clock.pending > 0);
    expect(joined).toBe(false);
    target.end('a', delivered);
    target.end('b', delivered);
    await joining;
    expect(log.assignments).toMatchObject([{ start: { offset: 1n } }]);
    expect(log.received).toEqual([]);
  });
});
