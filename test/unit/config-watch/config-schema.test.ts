// The schema for editors: as the classes are, and of one mind with the loader.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fastify } from 'fastify';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Environment } from '#src/config-watch/env.js';
import { loadSettings } from '#src/config-watch/load-settings.js';
import { baseConfig, baseConsumer, type Config } from '../../support/bigpipe-process.js';
import { configSchema, type Schema } from '../../support/config-schema.js';

const folder = fileURLToPath(new URL('../../../config/', import.meta.url));
const file = join(folder, 'bigpipe.schema.json');

test('the schema that is shipped is the one of the classes: after changing them, npm run schema', async () => {
  await expect(`${JSON.stringify(configSchema(), null, 2)}\n`).toMatchFileSnapshot(file);
});

test('every key says what it is and what is allowed', () => {
  const missing: string[] = [];
  const look = (schema: Schema, path: string) => {
    for (const [key, of] of Object.entries((schema['properties'] ?? {}) as Record<string, Schema>)) {
      const description = String(of['description']);
      if (!key.startsWith('$') && !/^\S.*[.!] Allowed: .+\.$/.test(description))
        missing.push(`${path}${key}: ${description}`);
      look(of, `${path}${key}.`);
      look((of['items'] ?? {}) as Schema, `${path}${key}[].`);
      for (const either of (of['anyOf'] ?? []) as Schema[])
        if ('required' in either === false) look(either, `${path}${key}.`);
    }
  };
  look(configSchema(), '');
  expect(missing).toEqual([]);
});

describe('the schema and the loader', () => {
  const app = fastify({ ajv: { customOptions: { coerceTypes: false, removeAdditional: false, strict: false } } });
  let home: string;

  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'bigpipe-schema-'));
    const { $schema: _, ...body } = configSchema();
    app.post('/', { schema: { body }, handler: async () => 'fine' });
    await app.ready();
  });

  afterAll(async () => {
    await app.close();
    rmSync(home, { recursive: true, force: true });
  });

  const schemaTakes = async (config: unknown): Promise<boolean> => {
    const { statusCode } = await app.inject({ method: 'POST', url: '/', payload: config as object });
    return statusCode === 200;
  };

  const loaderTakes = (config: unknown): boolean => {
    const path = join(home, 'bigpipe.json');
    writeFileSync(path, JSON.stringify(config));
    try {
      loadSettings(path, new Environment());
      return true;
    } catch {
      return false;
    }
  };

  const shipped = ['bigpipe.json', ...readdirSync(join(folder, 'examples')).map((name) => `examples/${name}`)];
  test.each(shipped)('take config/%s, which names the schema', async (name) => {
    const config = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Config;
    expect(config['$schema']).toBe(name.includes('/') ? '../bigpipe.schema.json' : './bigpipe.schema.json');
    expect([await schemaTakes(config), loaderTakes(config)]).toEqual([true, true]);
  });

  const consumer = (changes: Config): Config => ({ 'kafka.consumer.list': [baseConsumer(changes)] });
  const takenByBoth: [Config][] = [
    [{ 'broker.embedded.max.bytes': 0 }],
    [consumer({ concurrency: 'auto' })],
    [consumer({ concurrency: { min: 1, max: 2 } })],
    [consumer({ retryBackoff: [10, 20] })],
    [consumer({ successOn: [200, '3xx', '400-404'] })],
    [consumer({ rateLimit: 0.5 })],
  ];
  test.each(takenByBoth)('take %j', async (changes) => {
    const config = baseConfig(changes);
    expect([await schemaTakes(config), loaderTakes(config)]).toEqual([true, true]);
  });

  const refusedByBoth: [Config][] = [
    [{ 'log.level': 6 }],
    [{ 'log.level': '4' }],
    [{ 'http.server.port': 70_000 }],
    [{ 'broker.embedded.max.bytes': 5 }],
    [{ 'broker.embedded.fsync': 1 }],
    [{ 'kafka.topics': [] }],
    [{ 'kafka.topics': [{ name: 'a b', partitions: 1 }] }],
    [{ 'kafka.producer.acl': [{ name: 'a', secret: 'b' }] }],
    [consumer({ rateLimit: 0 })],
    [consumer({ groupId: undefined })],
    [consumer({ concurrency: { min: 1 } })],
    [consumer({ retryBackoff: { factor: 11 } })],
    [consumer({ successOn: ['9xx'] })],
    [consumer({ circuitBreaker: { breakPeriod: 1 } })],
    [consumer({ destinations: [{ name: 'a' }] })],
  ];
  test.each(refusedByBoth)('refuse %j', async (changes) => {
    const config = baseConfig(changes);
    expect([await schemaTakes(config), loaderTakes(config)]).toEqual([false, false]);
  });

  test('a misspelled key is an error in the editor', async () => {
    expect(await schemaTakes(baseConfig({ 'http.server.prt': 1 }))).toBe(false);
  });
});
