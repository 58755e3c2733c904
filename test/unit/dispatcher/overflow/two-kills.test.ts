// Copies of an owner that died, of which the next owner had read only the first ones when it died too.
import { afterEach, expect, test, vi } from 'vitest';
import type { MessageBatch } from '#src/broker/broker.js';
import { GroupRunner } from '#src/dispatcher/group-runner.js';
import { overflowTopic } from '#src/message/side-topic.js';
import { delivered, failed } from '../../../support/scripted-target.js';
import { SpillLab } from '../../../support/spill-lab.js';
import { fixed, perSecond } from '../../../support/subscription.js';

const overflow = overflowTopic('orders', 'G');
const keys = 4;
const messages = 1400;
/** What is handed over at once. */
const batch = 256n;

let lab: SpillLab;
afterEach(async () => {
  vi.restoreAllMocks();
  await lab.close();
});

const rest = async () => {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};
const endOfOverflow = () => lab.broker.lag('G', overflow)[0]?.highWatermark ?? 0n;

test('two kills in a row do not let a part of the dead copies live again', async () => {
  lab = await SpillLab.start({
    rate: perSecond(1_000_000),
    concurrency: fixed(50),
    retries: 1000,
    backoff: [300],
  });
  let isDead = true;
  const bodies: string[] = [];
  lab.target.answer = ({ source: { body } }) => {
    if (isDead) return failed;
    if (!bodies.includes(body.toString())) bodies.push(body.toString());
    return delivered;
  };
  const calls = Array.from({ length: messages }, (_, i) => lab.call(`${i}`, `k${i % keys}`, 'http://dead.example/'));
  // The first owner has said what it may hand out.
  await lab.until('its first commit is there', () => lab.clock.pending === 0);
  await lab.append(...calls);
  await rest();
  // Copies stand in the overflow, and no commit has said so.
  const firstEnd = endOfOverflow();
  expect(firstEnd).toBeGreaterThan(2n * batch);
  await lab.kill();

  // The second owner's disk reads one batch of the overflow, and then takes its time.
  let end = () => {};
  const slow = new Promise<void>((resolve) => {
    end = resolve;
  });
  const messagesOf = Reflect.get(GroupRunner.prototype, 'messages') as (
    this: GroupRunner,
    batch: MessageBatch,
  ) => Promise<void>;
  vi.spyOn(GroupRunner.prototype, 'messages').mockImplementation(function (this: GroupRunner, one) {
    return one.topic === overflow && (one.messages[0]?.offset ?? 0n) >= batch ? slow : messagesOf.call(this, one);
  });
  await lab.join();
  await rest();
  // The copies are the messages: none is made again.
  expect(endOfOverflow()).toBe(firstEnd);
  lab.clock.advance(25);
  await rest();
  const killed = lab.kill();
  await rest();
  end();
  await killed;
  vi.restoreAllMocks();

  isDead = false;
  await lab.join();
  await lab.until('all are delivered', () => bodies.length === messages);
  for (let key = 0; key < keys; key += 1) {
    const numbers = bodies.map(Number).filter((number) => number % keys === key);
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
  }
});
