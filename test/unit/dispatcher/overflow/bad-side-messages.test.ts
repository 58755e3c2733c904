// What stands wrong in a subscription's own topics, and topics that are missing: told with their places, nothing held up, nothing lost.
import { afterEach, describe, expect, test } from 'vitest';
import { BigpipeError } from '#src/message/errors.js';
import type { Message } from '#src/message/message.js';
import { delayTiers, delayTopic, overflowTopic } from '#src/message/side-topic.js';
import { delivered, failed } from '../../../support/scripted-target.js';
import { SpillLab } from '../../../support/spill-lab.js';
import { fixed, perSecond } from '../../../support/subscription.js';

const url = 'http://a.example/';
const eager = { rate: perSecond(1_000_000), concurrency: fixed(50), retries: 3 };

/** What stands in a delay topic is looked at once its time there is over. */
const minuteMs = 60_000;

let lab: SpillLab;
afterEach(() => lab.close());

const noted = (topic: string, body: string, note: string): Message => {
  const { headers, ...message } = lab.call(body, null, url);
  return { ...message, topic, headers: { ...headers, 'bigpipe-side': note } };
};

async function letters() {
  const box = lab.runner.letters.box;
  return (await box?.read({ partition: null, from: 0n, to: null }, 100)) ?? [];
}

describe('a moved message whose note cannot be read', () => {
  test.each([
    ['the overflow', overflowTopic('orders', 'G')],
    ...delayTiers.map((tier) => [`the delay topic of ${tier.name}`, delayTopic('orders', 'G', tier)]),
  ])('in %s: a dead letter that says so, and what stands behind it goes on', async (_where, topic = '') => {
    lab = await SpillLab.start(eager);
    const sent: string[] = [];
    lab.target.answer = ({ source }) => {
      sent.push(source.body.toString());
      return delivered;
    };
    const good = `1 orders/0/7 orders/0/7 someone - 0 0 0 0`;
    await lab.append(noted(topic, 'bad', 'no note'), noted(topic, 'cut', good.slice(0, -4)));
    await lab.append(lab.call('after', null, url));
    await lab.until('both are dead letters', () => lab.client.deadLetters === 2, minuteMs);
    await lab.until('nothing is left', () => lab.lag(topic) === 0n && lab.lag('orders') === 0n, minuteMs);
    expect(sent).toEqual(['after']);
    const dead = await letters();
    expect(dead.map(({ body }) => body.toString())).toEqual(['bad', 'cut']);
    for (const { headers } of dead) {
      expect(headers).toMatchObject({
        'bigpipe-dlq-reason': 'invalid',
        'bigpipe-dlq-detail': 'the note of a moved message cannot be read',
      });
    }
    expect(lab.reports).toContain('message is invalid');
  });
});

test('a delay topic that is missing loses nothing: what is to wait there stays, is told, and goes once it is back', async () => {
  lab = await SpillLab.start({ ...eager, backoff: [90_000] });
  const missing = delayTopic('orders', 'G', delayTiers[2]);
  const append = lab.broker.append.bind(lab.broker);
  let isMissing = true;
  lab.broker.append = (messages, ...rest) =>
    isMissing && messages.some(({ topic }) => topic === missing)
      ? Promise.reject(new BigpipeError('storage-failed', `there is no topic ${missing}`))
      : append(messages, ...rest);
  let attempts = 0;
  lab.target.answer = ({ source }) => {
    if (source.body.toString() === 'other') return delivered;
    attempts += 1;
    return attempts === 1 ? failed : delivered;
  };
  await lab.append(lab.call('x', null, url));
  await lab.until('it is told', () => lab.reports.includes('a message could not be moved, will try again'));
  await lab.append(lab.call('other', null, url));
  await lab.until('others go on', () => lab.client.rpcSuccess === 1);
  expect([attempts, lab.lag(missing), lab.lag('orders') > 0n]).toEqual([1, 0n, true]);
  isMissing = false;
  await lab.until('it is delivered', () => lab.client.rpcSuccess === 2, 1000);
  await lab.until('nothing is left', () => lab.lag('orders') === 0n);
  expect([attempts, lab.client.deadLetters]).toEqual([2, 0]);
});
