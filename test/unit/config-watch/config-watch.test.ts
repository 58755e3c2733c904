// A reload is a transaction: all of it or nothing, one at a time, and every module on its way to the newest settings.
import { Logger } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Adjustable } from '#src/config-watch/adjustable.js';
import type { Settings } from '#src/config-watch/settings.js';
import { baseConfig, baseConsumer, type Config } from '../../support/bigpipe-process.js';
import { ConfigHome } from '../../support/config-home.js';
import { until } from '../../support/until.js';

let home: ConfigHome;

beforeAll(() => Logger.overrideLogger(false));
afterAll(() => Logger.overrideLogger(['log', 'warn', 'error']));
beforeEach(() => {
  home = new ConfigHome();
});
afterEach(() => home.dispose());

const rated = (rateLimit: number, changes: Config = {}): Config =>
  baseConfig({ 'kafka.consumer.list': [baseConsumer({ rateLimit })], ...changes });
const rateOf = ({ subscriptions }: Settings) => subscriptions[0]?.rate.perSecond;

/** Notes what it was asked. */
class Module implements Adjustable {
  readonly ways: string[] = [];
  fails = false;
  reasons: readonly string[] = [];
  work: Promise<void> | undefined;

  constructor(
    readonly name: string,
    private readonly order: string[] = [],
  ) {}

  veto(): readonly string[] {
    return this.reasons;
  }

  adjust(next: Settings, current: Settings): Promise<void> | undefined {
    this.order.push(this.name);
    this.ways.push(`${rateOf(current)} -> ${rateOf(next)}`);
    if (this.fails) throw new Error('no room');
    return this.work;
  }
}

describe('a reload', () => {
  test('swaps a frozen snapshot and then adjusts the modules in the order they came', async () => {
    const watch = home.open(rated(1));
    const order: string[] = [];
    const modules = ['dispatcher', 'acl', 'listener'].map((name) => new Module(name, order));
    for (const module of modules) watch.register(module);
    const before = watch.settings;
    home.clock.advance(1000);
    home.write(rated(2));
    expect(await watch.reload()).toBe('changed');
    expect(order).toEqual(['dispatcher', 'acl', 'listener']);
    expect(modules[0]?.ways).toEqual(['1 -> 2']);
    expect(rateOf(before)).toBe(1);
    expect(rateOf(watch.settings)).toBe(2);
    expect(Object.isFrozen(watch.settings.subscriptions[0])).toBe(true);
    expect({ version: watch.version, loadedAtMs: watch.loadedAtMs, lastError: watch.lastError }).toEqual({
      version: 2,
      loadedAtMs: home.clock.now(),
      lastError: null,
    });
  });

  test('of the same in other words changes nothing, not even the snapshot', async () => {
    const watch = home.open(rated(1));
    const module = new Module('acl');
    watch.register(module);
    const { settings } = watch;
    const { 'kafka.topics': topics, ...rest } = rated(1);
    home.write(JSON.stringify({ ...rest, 'log.level': 4, 'kafka.topics': topics }, null, 4));
    expect(await watch.reload()).toBe('unchanged');
    expect(watch.settings).toBe(settings);
    expect(watch.version).toBe(1);
    expect(module.ways).toEqual([]);
  });

  test('that modules refuse changes nothing, and tells the reasons of all of them', async () => {
    const watch = home.open(rated(1));
    const [one, two, three] = ['one', 'two', 'three'].map((name) => new Module(name)) as [Module, Module, Module];
    for (const module of [one, two, three]) watch.register(module);
    one.reasons = ['topic a: has messages'];
    three.veto = () => {
      throw new Error('cannot say');
    };
    home.write(rated(2));
    expect(await watch.reload()).toBe('refused');
    expect(watch.lastError?.faults).toEqual(['topic a: has messages', 'three: cannot say']);
    expect([rateOf(watch.settings), watch.version]).toEqual([1, 1]);
    expect([one, two, three].flatMap(({ ways }) => ways)).toEqual([]);
    expect(watch.counters).toMatchObject({ reloads: 1, refused: 1, inError: 1 });
  });

  test.each([
    ['half a file', JSON.stringify(rated(2)).slice(0, 100)],
    ['an empty file', ''],
    ['a file that breaks a rule', JSON.stringify(rated(0))],
  ])('of %s changes nothing; the fault is dated once, and gone with the next good file', async (_what, text) => {
    const watch = home.open(rated(1));
    const { settings } = watch;
    home.write(text);
    const sinceMs = home.clock.now();
    expect(await watch.reload()).toBe('refused');
    home.clock.advance(60_000);
    expect(await watch.reload()).toBe('refused');
    expect(watch.settings).toBe(settings);
    expect(watch.lastError?.sinceMs).toBe(sinceMs);
    expect(watch.counters).toMatchObject({ version: 1, reloads: 2, changed: 0, refused: 2 });
    home.write(rated(2));
    expect(await watch.reload()).toBe('changed');
    expect(watch.lastError).toBeNull();
    expect(rateOf(watch.settings)).toBe(2);
  });

  test('keeps what needs a restart as it was, until the file says so again', async () => {
    const watch = home.open(rated(1));
    home.write(rated(2, { 'management.port': 1, 'broker.embedded.directory': '/elsewhere' }));
    expect(await watch.reload()).toBe('changed');
    expect(watch.pendingRestart).toEqual([
      'management.port 0 -> 1 (needs a restart)',
      'broker.embedded.directory "./data" -> "/elsewhere" (needs a restart)',
    ]);
    expect(watch.settings.management.port).toBe(0);
    expect(watch.settings.broker.embedded.directory).toBe('./data');
    expect(watch.keys).toMatchObject({ 'management.port': 0, 'broker.embedded.directory': './data' });
    home.write(rated(2));
    expect(await watch.reload()).toBe('unchanged');
    expect(watch.pendingRestart).toEqual([]);
  });

  test('after the end does nothing', async () => {
    const watch = home.open(rated(1));
    watch.close();
    home.write(rated(2));
    expect(await watch.reload()).toBe('unchanged');
    expect(rateOf(watch.settings)).toBe(1);
  });
});

describe('a module that cannot adjust', () => {
  test('holds up no other, takes nothing back, and gets its whole way at the next reload', async () => {
    const watch = home.open(rated(1));
    const [sick, well] = [new Module('sick'), new Module('well')];
    watch.register(sick);
    watch.register(well);
    sick.fails = true;
    home.write(rated(2));
    expect(await watch.reload()).toBe('failed');
    expect(rateOf(watch.settings)).toBe(2);
    expect(watch.lastError?.faults).toEqual(['sick could not adjust: no room']);
    expect(watch.counters).toMatchObject({ version: 2, adjustFailed: 1, refused: 0 });
    home.write(rated(3));
    expect(await watch.reload()).toBe('failed');
    sick.fails = false;
    expect(await watch.reload()).toBe('unchanged');
    expect(watch.lastError).toBeNull();
    expect(sick.ways).toEqual(['1 -> 2', '1 -> 3', '1 -> 3']);
    expect(well.ways).toEqual(['1 -> 2', '2 -> 3']);
  });

  test('and does not end either is waited for no longer than a minute, and never asked twice at once', async () => {
    const watch = home.open(rated(1));
    const [stuck, well] = [new Module('stuck'), new Module('well')];
    watch.register(stuck);
    watch.register(well);
    let end = () => undefined as unknown;
    stuck.work = new Promise((resolve) => {
      end = () => resolve();
    });
    home.write(rated(2));
    const first = watch.reload();
    await until('it is asked', () => stuck.ways.length === 1);
    home.clock.advance(60_000);
    expect(await first).toBe('failed');
    expect(watch.lastError?.faults).toEqual(['stuck could not adjust: did not end within 60000 ms']);
    expect(well.ways).toEqual(['1 -> 2']);
    const second = watch.reload();
    await until('it is waited for', () => home.clock.pendingOf(60_000) === 1);
    expect(stuck.ways).toHaveLength(1);
    stuck.work = undefined;
    end();
    expect(await second).toBe('unchanged');
    expect(stuck.ways).toEqual(['1 -> 2', '1 -> 2']);
  });
});

describe('reloads asked for during a reload', () => {
  test('are one more, which sees the newest file', async () => {
    const watch = home.open(rated(1));
    const slow = new Module('slow');
    watch.register(slow);
    let end = () => undefined as unknown;
    slow.work = new Promise((resolve) => {
      end = () => resolve();
    });
    home.write(rated(2));
    const first = watch.reload();
    await until('the first is under way', () => slow.ways.length === 1);
    home.write(rated(3));
    const more = [watch.reload(), watch.reload(), watch.reload()];
    home.write(rated(4));
    expect(slow.ways).toEqual(['1 -> 2']);
    end();
    expect(await first).toBe('changed');
    expect(await Promise.all(more)).toEqual(['changed', 'changed', 'changed']);
    expect(slow.ways).toEqual(['1 -> 2', '2 -> 4']);
    expect(watch.counters).toMatchObject({ reloads: 2, version: 3 });
  });
});

describe('a check', () => {
  test('says what would change, or why it would be refused, also by a module', async () => {
    const watch = home.open(rated(1));
    const module = new Module('dispatcher');
    watch.register(module);
    expect(watch.check(JSON.stringify(rated(2)))).toEqual({
      faults: [],
      warnings: [],
      changes: ['consumer G1 of test.rateLimit 1 -> 2'],
    });
    module.reasons = ['not now'];
    expect(watch.check(JSON.stringify(rated(2)))).toEqual({ faults: ['not now'], warnings: [], changes: [] });
    expect(watch.check('{').faults).toEqual([expect.stringMatching(/^is not JSON: /)]);
    expect([rateOf(watch.settings), watch.version, watch.lastError, module.ways]).toEqual([1, 1, null, []]);
  });
});
