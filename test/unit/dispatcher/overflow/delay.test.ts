// Long waits are spent on disk: they hold no window, each ends in its time, and attempts and their reasons travel along.
import { afterEach, expect, test } from 'vitest';
import { overflowTopic } from '#src/message/side-topic.js';
import { delivered, failed } from '../../../support/scripted-target.js';
import { SpillLab } from '../../../support/spill-lab.js';
import { fixed, perSecond } from '../../../support/subscription.js';

const url = 'http://a.example/';
const eager = { rate: perSecond(1_000_000), concurrency: fixed(50), retries: 3 };

let lab: SpillLab;
afterEach(() => lab.close());

const delayed = () => lab.runner.view.backlog().delayed;

test('a retry that is far off leaves the window, and comes when it is due, with its attempts', async () => {
  lab = await SpillLab.start({ ...eager, backoff: [90_000] });
  const sent: string[] = [];
  const startMs = lab.clock.now();
  lab.target.answer = ({ attempt, redelivery }) => {
    sent.push(`${attempt} ${redelivery} ${Math.round((lab.clock.now() - startMs) / 1000)}`);
    return attempt === 1 ? failed : delivered;
  };
  await lab.append(lab.call('x', null, url));
  await lab.until('it waits on disk', () => delayed() === 1, 1);
  expect(lab.runner.view.backlog()).toMatchObject({ retry: 0, ready: 0, unread: 0 });
  await lab.until('it is delivered', () => lab.client.rpcSuccess === 1, 500);
  // Within a second of its time.
  expect(sent[0]).toBe('1 null 0');
  expect(['2 status 90', '2 status 91']).toContain(sent[1]);
  await lab.until('nothing is left', () => lab.lag('orders') === 0n && delayed() === 0);
});

test('thousands wait without holding up a single one, through a kill too', async () => {
  lab = await SpillLab.start({ ...eager, backoff: [600_000] });
  let isWell = false;
  lab.target.answer = ({ source }) => (isWell || source.body.toString() === 'well' ? delivered : failed);
  await lab.append(...Array.from({ length: 5000 }, (_, i) => lab.call(`${i}`, null, url)));
  await lab.append(lab.call('well', null, url));
  await lab.until(
    'the last one is delivered, and the others wait',
    () => lab.client.rpcSuccess === 1 && delayed() === 5000,
    1,
  );
  expect(lab.lag(overflowTopic('orders', 'G'))).toBe(0n);
  await lab.until('all of it is committed', () => lab.lag('orders') === 0n);
  await lab.kill();
  await lab.join();
  isWell = true;
  await lab.until('all are delivered', () => lab.client.rpcSuccess === 5001, 10_000);
  expect(lab.client).toMatchObject({ rpcFail: 0, rpcSuccess: 5001 });
});

test('a key waits for its retry where it is, so that its calls stay in order', async () => {
  lab = await SpillLab.start({ ...eager, backoff: [60_000] });
  const sent: string[] = [];
  lab.target.answer = ({ source, attempt }) => {
    sent.push(`${source.body.toString()}/${attempt}`);
    return source.body.toString() === 'first' && attempt === 1 ? failed : delivered;
  };
  await lab.append(lab.call('first', 'k', url), lab.call('second', 'k', url));
  await lab.until('both are delivered', () => lab.client.rpcSuccess === 2, 1000);
  expect(sent).toEqual(['first/1', 'first/2', 'second/1']);
});
