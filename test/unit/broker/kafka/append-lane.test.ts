// What waits for one partition: the batch that failed goes first and as it was, numbers never skip, late callers are told.
import { expect, test } from 'vitest';
import { AppendLane } from '#src/broker/drivers/kafka/append-lane.js';
import { planRequests } from '#src/broker/drivers/kafka/request-plan.js';
import { BigpipeError } from '#src/message/errors.js';

const maxBatchBytes = 1000;

function laneWith(...bodies: string[]): { lane: AppendLane; told: Map<string, unknown> } {
  const lane = new AppendLane('t', 0);
  const told = new Map<string, unknown>();
  for (const body of bodies) push(lane, told, body);
  return { lane, told };
}

const unwanted = new Set<string>();

function push(lane: AppendLane, told: Map<string, unknown>, body: string, deadlineMs = 1000, weight = 100): void {
  const record = { key: null, value: Buffer.from(body), headers: {}, timestamp: 0 };
  const isWanted = () => !unwanted.has(body);
  lane.push({ record, weight, deadlineMs, isWanted, settle: (result) => told.set(body, result) });
}

const bodiesOf = (lane: AppendLane) => lane.next(maxBatchBytes)?.map(({ record }) => record.value.toString());

test('a batch that failed is repeated as it was, whatever has come since; its number is used once', () => {
  const { lane, told } = laneWith('a', 'b');
  expect(bodiesOf(lane)).toEqual(['a', 'b']);
  lane.failed(0);
  push(lane, told, 'c');
  expect(bodiesOf(lane)).toEqual(['a', 'b']);
  expect(lane.sequence).toBe(0);
  lane.stored(7n);
  expect([...told]).toEqual([
    ['a', 7n],
    ['b', 8n],
  ]);
  expect(lane.sequence).toBe(2);
  expect(bodiesOf(lane)).toEqual(['c']);
});

test('what nobody wants any more does not leave; once a batch has left it is repeated as it was', () => {
  const { lane, told } = laneWith('a', 'b', 'c');
  lane.next(maxBatchBytes);
  unwanted.add('b');
  expect(lane.leave()).toBe(true);
  expect([...told]).toMatchObject([['b', { code: 'fenced' }]]);
  unwanted.add('a').add('c');
  lane.failed(0);
  expect(lane.leave()).toBe(true);
  expect(bodiesOf(lane)).toEqual(['a', 'c']);
  lane.stored(7n);
  push(lane, told, 'a');
  lane.next(maxBatchBytes);
  expect([lane.leave(), lane.isIdle]).toEqual([false, true]);
  unwanted.clear();
});

test('a batch is bounded in bytes; one larger message goes by itself', () => {
  const { lane, told } = laneWith();
  push(lane, told, 'large', 1000, 5000);
  for (let i = 0; i < 12; i++) push(lane, told, `${i}`);
  expect(bodiesOf(lane)).toEqual(['large']);
  lane.stored(0n);
  expect(bodiesOf(lane)).toHaveLength(10);
});

test('halved until one is left, the rest keeps its order and nothing is numbered twice', () => {
  const { lane, told } = laneWith('a', 'b', 'c');
  lane.next(maxBatchBytes);
  expect(lane.split()).toBe(true);
  expect(bodiesOf(lane)).toEqual(['a', 'b']);
  expect(lane.split()).toBe(true);
  expect(bodiesOf(lane)).toEqual(['a']);
  expect(lane.split()).toBe(false);
  const error = new BigpipeError('message-too-large', 'too large');
  lane.refused(error);
  expect(told.get('a')).toBe(error);
  expect(lane.sequence).toBe(0);
  expect(bodiesOf(lane)).toEqual(['b', 'c']);
});

test('who waited too long is told; what was never sent goes, what may be at Kafka stays until Kafka has it', () => {
  const { lane, told } = laneWith('sent');
  lane.next(maxBatchBytes);
  push(lane, told, 'late', 1000);
  push(lane, told, 'in time', 5000);
  const late = new BigpipeError('storage-failed', 'late');
  lane.expire(2000, () => late);
  expect([...told]).toEqual([
    ['sent', late],
    ['late', late],
  ]);
  expect(bodiesOf(lane)).toEqual(['sent']);
  lane.stored(0n);
  expect(bodiesOf(lane)).toEqual(['in time']);
});

test('numbers begin again behind the largest one', () => {
  const { lane } = laneWith('a', 'b', 'c');
  lane.sequence = 2_147_483_646;
  lane.next(maxBatchBytes);
  lane.stored(null);
  expect(lane.sequence).toBe(1);
});

test('waits grow with failures and end with a success', () => {
  const { lane } = laneWith('a');
  lane.next(maxBatchBytes);
  const waits = Array.from({ length: 7 }, () => {
    lane.failed(0);
    return lane.notBeforeMs;
  });
  expect(waits).toEqual([50, 100, 200, 400, 800, 1000, 1000]);
  lane.stored(0n);
  expect([lane.notBeforeMs, lane.failures, lane.alone]).toEqual([0, 0, false]);
});

test('one request a free node; who failed among others goes alone, who has to wait waits', () => {
  const lanes = ['a', 'b', 'alone', 'elsewhere', 'busy', 'waiting', 'leaderless', 'idle'].map((name) => {
    const lane = new AppendLane(name, 0);
    if (name !== 'idle') push(lane, new Map(), name);
    return lane;
  });
  const named = (name: string) => lanes.find(({ topic }) => topic === name) as AppendLane;
  named('alone').alone = true;
  named('waiting').notBeforeMs = 130;
  const leaders: Record<string, number | null> = { elsewhere: 2, busy: 3, leaderless: null };
  const parts = {
    nowMs: 100,
    leaderOf: ({ topic }: AppendLane) => (topic in leaders ? (leaders[topic] ?? null) : 1),
    isBusy: (node: number) => node === 3,
    maxBatchBytes,
  };
  const plan = planRequests(lanes, parts);
  const topics = [...plan.requests].map(([node, own]) => [node, own.map(({ topic }) => topic)]);
  expect(topics).toEqual([
    [1, ['a', 'b']],
    [2, ['elsewhere']],
  ]);
  expect(plan).toMatchObject({ waitMs: 30, isLeaderless: true });
  for (const lane of [named('a'), named('b')]) lane.inFlight = true;
  expect([...planRequests([named('a'), named('alone')], parts).requests.values()].flat()).toEqual([named('alone')]);
});
