// What is counted, how it is bounded, and how the figures of several processes become one.
import { expect, test } from 'vitest';
import { Steps } from '#src/message/steps.js';
import { Exposition } from '#src/stats/metrics/exposition.js';
import { cumulated } from '#src/stats/metrics/histogram.js';
import { Metrics, metricsSection } from '#src/stats/metrics/metrics.js';
import { sumSections } from '#src/workers/sum-sections.js';
import { BusyClock, turnsDuring } from '../../support/busy-clock.js';
import { FakeClock } from '../../support/fake-clock.js';

const inOne = () => new Steps(new FakeClock());

test('each duration stands under the first bound that it does not pass, and all below it', async () => {
  const metrics = new Metrics();
  const histogram = metrics.histogram('seconds', 'help').of();
  for (const seconds of [0, 0.001, 0.0011, 3, 100, 101]) histogram.observe(seconds);
  const buckets = new Map(cumulated(histogram.figures).map(({ le, count }) => [le, count]));
  expect([buckets.get('0.001'), buckets.get('0.0025'), buckets.get('2.5'), buckets.get('5')]).toEqual([2, 3, 3, 4]);
  expect([buckets.get('100'), buckets.get('+Inf')]).toEqual([5, 6]);
  expect(histogram.figures['sum']).toBeCloseTo(204.0021);
});

test('a family has a bound; what comes past it is counted together', async () => {
  const metrics = new Metrics();
  const family = metrics.counter('many', 'help', ['name', 'kind']);
  for (let i = 0; i < 10_050; i += 1) family.of(`n${i}`, 'x').value += 1;
  const figures = (await metrics.snapshot(inOne()))['many'] as Record<string, number>;
  expect(Object.keys(figures)).toHaveLength(10_001);
  expect(figures['["other","other"]']).toBe(50);
  expect(family.of('n1', 'x').value).toBe(1);
});

test('what is gone is told no more, and its namesakes stay', async () => {
  const metrics = new Metrics();
  const family = metrics.counter('deliveries', 'help', ['topic', 'group']);
  for (const [topic, group] of [
    ['a', 'G'],
    ['a', 'H'],
    ['b', 'G'],
  ] as const)
    family.of(topic, group).value += 1;
  family.forget('a', 'G');
  expect((await metrics.snapshot(inOne()))['deliveries']).toEqual({ '["a","H"]': 1, '["b","G"]': 1 });
});

test('the figures of several processes are added up, series by series', async () => {
  const processes = [1, 2].map((count) => {
    const metrics = new Metrics();
    metrics.counter('calls', 'help', ['door']).of('rpc').value += count;
    const times = metrics.histogram('times', 'help').of();
    for (let i = 0; i < count; i += 1) times.observe(0.02);
    return metrics;
  });
  const [main] = processes as [Metrics, Metrics];
  main.register({
    shapes: [{ name: 'known', help: 'help', type: 'gauge', labels: ['what'] }],
    read: (add, sections) => add('known', Object.keys(sections).length, 'sections'),
  });
  const counted = await Promise.all(processes.map((metrics) => metrics.snapshot(inOne())));
  const sections = sumSections(counted.map((figures) => ({ [metricsSection]: figures })));
  const families = await main.families(sections, inOne());
  expect(families.map(({ name }) => name)).toEqual(['calls', 'known', 'times']);
  expect(families[0]?.samples).toEqual([{ labels: { door: 'rpc' }, value: 3 }]);
  expect(families[1]?.samples).toEqual([{ labels: { what: 'sections' }, value: 1 }]);
  expect(families[2]?.samples[0]?.value).toMatchObject({ '0.025': 3, '0.05': 0 });
});

test('a name is taken once', () => {
  const metrics = new Metrics();
  metrics.counter('a', 'help');
  expect(() => metrics.histogram('a', 'help')).toThrow('registered twice');
});

test('a page of many series is made in steps, and says the same as one made at once', async () => {
  const metrics = new Metrics();
  const times = metrics.histogram('times', 'how long', ['who']);
  const calls = metrics.counter('calls', 'how "many"', ['who']);
  const none = metrics.counter('none', 'never\nseen', ['who']);
  for (let i = 0; i < 500; i += 1) {
    times.of(`"${i}"`).observe(0.02);
    calls.of(`"${i}"`).value += i;
  }
  expect(none.labels).toEqual(['who']);
  const exposition = new Exposition(metrics);
  const pageBy = async (steps: Steps) => {
    const sections = { [metricsSection]: await metrics.snapshot(steps) };
    let text = '';
    for await (const part of await exposition.page(sections, steps)) text += part;
    // What follows of the process itself is never the same.
    return text.slice(0, text.indexOf('process_cpu'));
  };
  const once = await pageBy(inOne());
  expect(once).toContain('# HELP none never\\nseen\n# TYPE none counter\n');
  expect(once).toContain('times_bucket{le="0.025",who="\\"7\\""} 1\n');
  expect(once).toContain('calls{who="\\"499\\""} 499\n');
  expect(once.match(/^# TYPE times /gm)).toHaveLength(1);
  expect(once.match(/^times_/gm)).toHaveLength(500 * 19);
  const busy = await turnsDuring(() => pageBy(new Steps(new BusyClock())));
  expect(busy.result).toBe(once);
  // Snapshot, families, text: one step for each few of their things.
  expect(busy.turns).toBeGreaterThan(100);
});
