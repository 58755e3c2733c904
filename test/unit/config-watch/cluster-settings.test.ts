// Where a node says that it is reached: as the settings say, else as its listener's address says, and nowhere without a secret.
import { expect, test } from 'vitest';
import { addressOf } from '#src/config-watch/cluster-settings.js';
import type { Settings } from '#src/config-watch/settings.js';

const secret = 'a-secret-of-the-nodes';

function told(host: string, port: number, changes: Partial<Settings['cluster']> = {}, isTls = false): string | null {
  const tls = isTls ? { certFile: 'c', keyFile: 'k', caFile: null } : null;
  const cluster = { secret, advertise: null, ...changes };
  return addressOf({ cluster, server: { host, tls } as Settings['server'] }, port);
}

test('one address is told as it is', () => {
  expect(told('10.0.0.7', 10_086)).toBe('http://10.0.0.7:10086');
  expect(told('::1', 1, {}, true)).toBe('https://[::1]:1');
});

test('of all addresses one is told that others can reach', () => {
  const origin = told('0.0.0.0', 10_086) ?? '';
  expect(new URL(origin).port).toBe('10086');
  expect(new URL(origin).hostname).not.toBe('0.0.0.0');
});

test('what the settings say is told, also where the port is not known yet', () => {
  expect(told('0.0.0.0', 0, { advertise: 'https://bus-1.example:443' })).toBe('https://bus-1.example:443');
  expect(told('0.0.0.0', 0)).toBeNull();
});

test('without a secret nobody is told', () => {
  expect(told('10.0.0.7', 10_086, { secret: null, advertise: 'http://10.0.0.7:1' })).toBeNull();
});
