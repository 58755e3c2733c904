// examples/payments as its one command starts it, killed at each step of a payment: the balance and the message, both or neither.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { until } from '../support/until.js';

const start = fileURLToPath(new URL('../../examples/payments/start.ts', import.meta.url));
let directory: string;
let example: ChildProcess;
let exited: Promise<unknown>;
let payments: string;
let membership: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'payments-'));
  example = spawn(process.execPath, [start, '--port', '0', '--directory', directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  exited = new Promise((resolve) => example.once('exit', resolve));
  const addresses = new Map<string, string>();
  createInterface({ input: example.stdout as NodeJS.ReadableStream }).on('line', (line) => {
    const [, name = '', url = ''] = /^(\w+): (\S+)$/.exec(line) ?? [];
    addresses.set(name, url);
  });
  payments = await until('payments are taken', () => addresses.get('payments'), 60_000);
  membership = await until('members are counted', () => addresses.get('membership'));
});

afterAll(async () => {
  example.kill('SIGTERM');
  await exited;
  await rm(directory, { recursive: true, force: true });
});

/** Null while the service is down. */
const read = async (url: string): Promise<{ user: string; balance: number }[] | null> =>
  fetch(url).then(
    (answer) => answer.json() as Promise<{ user: string; balance: number }[]>,
    () => null,
  );
const balances = () => read(payments.replace('/pay', '/balances'));
const of = (rows: { user: string; balance: number }[] | null, user: string) =>
  rows?.find((row) => row.user === user)?.balance ?? 0;

/** Null: it died. */
const pay = (user: string, amount: number, crashAt = ''): Promise<number | null> =>
  fetch(payments, { method: 'POST', headers: { 'x-crash-at': crashAt }, body: JSON.stringify({ user, amount }) }).then(
    ({ status }) => status,
    () => null,
  );

test.each([
  ['before begin', 0],
  ['begun', 0],
  ['updated', 0],
  ['stored', 10],
  ['committed', 10],
])('killed at: %s', async (step, expected) => {
  const user = step.replace(' ', '-');
  await until('the service is up', balances);
  expect(await pay(user, 10, step)).toBeNull();
  await until('it is up again', balances);
  expect(of(await balances(), user)).toBe(expected);
  // Whatever was open before is decided when one begun later is, whose check comes later.
  const after = `${user}-after`;
  expect(await pay(after, 5, 'stored')).toBeNull();
  await until('the one behind it has come', async () => of(await read(membership), after) === 5);
  await until('the receiver has what the database has', async () => of(await read(membership), user) === expected);
  expect(of(await balances(), user)).toBe(expected);
});

test('a payment that fails by itself is rolled back', async () => {
  await until('the service is up', balances);
  expect(await pay('nobody', -1)).toBe(500);
  expect(await pay('somebody', 7)).toBe(200);
  await until('the one behind it has come', async () => of(await read(membership), 'somebody') === 7);
  expect([of(await balances(), 'nobody'), of(await read(membership), 'nobody')]).toEqual([0, 0]);
});
