// What is said at the start of a limit of open files that is below what the settings allow.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Environment } from '#src/config-watch/env.js';
import { loadSettings } from '#src/config-watch/load-settings.js';
import { openFilesLimit, tooFewOpenFiles } from '#src/open-files.js';
import { baseConfig, baseConsumer } from '../support/bigpipe-process.js';
import { ConfigHome } from '../support/config-home.js';

let home: ConfigHome;

beforeEach(() => {
  home = new ConfigHome();
});
afterEach(() => home.dispose());

test('connections of callers and attempts in flight are counted; one file fewer is told of', () => {
  const consumers = [baseConsumer({ groupId: 'a', concurrency: 40 }), baseConsumer({ groupId: 'b', concurrency: 60 })];
  const config = baseConfig({ 'http.server.max.connections': 1000, 'kafka.consumer.list': consumers });
  const { settings } = loadSettings(home.write(config), new Environment());
  const wanted = 1000 + 40 + 60 + 512;
  expect(tooFewOpenFiles(settings, wanted)).toBeNull();
  expect(tooFewOpenFiles(settings, null)).toBeNull();
  expect(tooFewOpenFiles(settings, wanted - 1)).toMatchObject({
    limit: wanted - 1,
    wanted,
    connections: 1000,
    attempts: 100,
  });
});

test('the limit is what the system says; none where it says nothing', () => {
  const file = join(home.directory, 'limits');
  const line = (limit: string) =>
    `Limit  Soft Limit  Hard Limit  Units\nMax open files            ${limit}   4096   files\n`;
  writeFileSync(file, line('1024'));
  expect(openFilesLimit(file)).toBe(1024);
  writeFileSync(file, line('unlimited'));
  expect(openFilesLimit(file)).toBeNull();
  expect(openFilesLimit(join(home.directory, 'nowhere'))).toBeNull();
});
