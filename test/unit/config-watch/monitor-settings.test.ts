// The clusters whose lag is told: what is taken, and each fault with its key path.
import { expect, test } from 'vitest';
import { Environment } from '#src/config-watch/env.js';
import { parseSettings } from '#src/config-watch/load-settings.js';
import { SettingsError } from '#src/config-watch/settings.js';
import { baseConfig } from '../../support/bigpipe-process.js';

const parse = (clusters: unknown) =>
  parseSettings(JSON.stringify(baseConfig({ 'monitor.clusters': clusters })), new Environment(), {
    variables: { PASSWORD: 'hunter2' },
    referred: new Set(),
    started: null,
  });

const faultsOf = (clusters: unknown): readonly string[] => {
  try {
    parse(clusters);
    return [];
  } catch (error) {
    if (error instanceof SettingsError) return error.faults;
    throw error;
  }
};

test('without a word of it, the own broker is told, as bigpipe', () => {
  const { monitor } = parse(undefined).settings;
  expect(monitor).toEqual({ intervalMs: 10_000, clusters: [{ name: 'bigpipe', kafka: null }] });
});

test('a Kafka with all that it may need; its password is not shown', () => {
  const reference = ['$', '{env:PASSWORD}'].join('');
  const entry = { name: 'first', servers: 'a:1, b:2', tls: true, tlsCa: '/ca.pem', tlsVerify: false };
  const sasl = { saslMechanism: 'plain', saslUsername: 'me', saslPassword: reference };
  const { settings, keys } = parse([{ name: 'own' }, { ...entry, ...sasl }]);
  expect(settings.monitor.clusters[1]).toMatchObject({
    name: 'first',
    kafka: {
      servers: ['a:1', 'b:2'],
      clientId: 'bigpipe-monitor',
      tls: { caFile: '/ca.pem', certFile: null, keyFile: null, verify: false },
      sasl: { mechanism: 'plain', username: 'me', password: 'hunter2' },
    },
  });
  expect(JSON.stringify(keys.mask.apply(keys.values))).not.toContain('hunter2');
});

test.each([
  [[], 'monitor.clusters: found [], allowed: a list of at least 1 object'],
  [[{ name: 'a b' }], 'monitor.clusters[0].name: found "a b"'],
  [[{ name: 'a', servers: 'nowhere' }], 'monitor.clusters[0].servers: found "nowhere", allowed: one or more host:port'],
  [[{ name: 'a' }, { name: 'a', servers: 'k:1' }], 'monitor.clusters[1].name: found "a" a second time'],
  [[{ name: 'a', tls: true }], 'monitor.clusters[0].tls: found beside no servers, allowed: for a Kafka only'],
  [
    [{ name: 'a', servers: 'k:1', saslMechanism: 'plain' }],
    'monitor.clusters[0].saslUsername: found nothing beside a mechanism',
  ],
  [
    Array.from({ length: 33 }, (_, i) => ({ name: `c${i}`, servers: 'k:1' })),
    'monitor.clusters: found 33 entries, allowed: 32 at most',
  ],
])('%j is refused', (clusters, fault) => {
  expect(faultsOf(clusters)[0]).toContain(fault);
});
