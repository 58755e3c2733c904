// What is told of a coordinator that cannot be had: at once where nobody answers, and once; of one that comes up or moves only what lasts.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { GroupSession } from '#src/broker/drivers/kafka/group-session.js';
import type { KafkaLink } from '#src/broker/drivers/kafka/kafka-link.js';
import { FakeClock } from '../../../support/fake-clock.js';

const elsewhere = () => Object.assign(new Error('not the coordinator'), { type: 'NOT_COORDINATOR_FOR_GROUP' });
const silent = () => Object.assign(new Error('no connection'), { name: 'KafkaJSConnectionError' });

/** A coordinator that answers each request with an error, which a real one cannot be asked to do. */
function lab(errorOf: () => Error) {
  const clock = new FakeClock();
  const told: string[] = [];
  const state = { attempts: 0 };
  const link = {
    open: async () => undefined,
    coordinatorOf: async () => {
      state.attempts += 1;
      throw errorOf();
    },
    failed: () => undefined,
    forgetCoordinator: () => undefined,
    refresh: async () => undefined,
  } as unknown as KafkaLink;
  const settings = { group: 'G', topics: ['t'], sessionTimeoutMs: 30_000, heartbeatMs: 3000 };
  const session = new GroupSession(link, link, clock, settings, {
    claim: () => ({ held: {}, releasing: {}, node: null }),
    shared: () => undefined,
    lost: () => undefined,
    report: (text) => told.push(text),
  });
  session.start();
  /** One attempt more. */
  const again = async () => {
    const before = state.attempts;
    for (let turn = 0; turn < 20 && state.attempts === before; turn += 1) {
      clock.advance(1000);
      await nextTurn();
    }
    expect(state.attempts).toBe(before + 1);
  };
  return { session, told, again, first: () => nextTurn() };
}

const message = 'G: the coordinator cannot be reached, tries again';

test('a coordinator that says it is none is told of after its fifth answer, once', async () => {
  const { session, told, again, first } = lab(elsewhere);
  await first();
  for (let attempt = 2; attempt <= 5; attempt += 1) await again();
  expect(told).toEqual([]);
  expect(session.lastError).toContain('NOT_COORDINATOR_FOR_GROUP');
  await again();
  await again();
  await again();
  expect(told).toEqual([message]);
  await session.stop();
});

test('where nobody answers that is told at once, and once', async () => {
  const { session, told, again, first } = lab(silent);
  await first();
  expect(told).toEqual([message]);
  await again();
  expect(told).toEqual([message]);
  await session.stop();
});
