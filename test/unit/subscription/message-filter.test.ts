// Which messages a subscription wants, against a model that is too simple to be wrong.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { eventFiltersOf } from '#src/config-watch/event-filter.js';
import type { BindingSettings, EventFilter } from '#src/config-watch/settings.js';
import { typePatternOf } from '#src/config-watch/type-pattern.js';
import { MessageFilter } from '#src/subscription/message-filter.js';
import { TopicWants } from '#src/subscription/topic-wants.js';
import { newSubscription } from '../../support/subscription.js';

const nothing = Buffer.alloc(0);

type Attributes = Readonly<Record<string, string>>;

const headersOf = ({ type, ...rest }: Attributes) => ({
  ...(type === undefined ? {} : { 'bigpipe-type': type }),
  ...Object.fromEntries(
    Object.entries(rest).map(([name, value]) => [
      `bigpipe-forward-${name.startsWith('header.') ? name.slice(7) : `ce-${name}`}`,
      name.startsWith('header.') ? value : encodeURIComponent(value),
    ]),
  ),
});

/** The words of the documentation, once more. */
function modelBinds(bindings: readonly BindingSettings[], type: string | undefined): boolean {
  if (bindings.length === 0) return true;
  for (const binding of bindings) {
    if (binding.kind === 'fanout') return true;
    if (type === undefined) continue;
    if (binding.kind === 'direct' && binding.type === type) return true;
    if (binding.kind === 'regex' && new RegExp(binding.isAnchored ? `^(?:${binding.type})$` : binding.type).test(type))
      return true;
  }
  return false;
}

function modelHolds(filter: EventFilter, attributes: Attributes): boolean {
  if (filter.kind === 'not') return !modelHolds(filter.filter, attributes);
  if (filter.kind === 'all' || filter.kind === 'any')
    return filter.filters[filter.kind === 'all' ? 'every' : 'some']((inner) => modelHolds(inner, attributes));
  if (!('attributes' in filter)) throw new Error('no other kind');
  for (const [name, text] of filter.attributes) {
    const value = attributes[name];
    if (value === undefined) return false;
    if (filter.kind === 'exact' && value !== text) return false;
    if (filter.kind === 'prefix' && value.slice(0, text.length) !== text) return false;
    if (filter.kind === 'suffix' && (value.length < text.length || value.slice(value.length - text.length) !== text))
      return false;
  }
  return true;
}

const word = fc.stringMatching(/^[abé]{1,3}$/u);
const typeText = fc.stringMatching(/^[ab.]{1,4}$/);
const names = fc.constantFrom('source', 'subject', 'header.x-tenant');
const binding: fc.Arbitrary<BindingSettings> = fc.oneof(
  fc.record({ kind: fc.constant('direct' as const), type: typeText }),
  fc.record({
    kind: fc.constant('regex' as const),
    type: fc.constantFrom('a', 'a.*', '(a|b)+', '[ab]{2}', 'b$', '^a', 'a|b', '(ab)?', '\\.'),
    isAnchored: fc.boolean(),
  }),
  fc.constant({ kind: 'fanout' as const }),
);
const { filter } = fc.letrec<{ filter: EventFilter }>((tie) => ({
  filter: fc.oneof(
    { depthSize: 'small' },
    fc.record({
      kind: fc.constantFrom('exact' as const, 'prefix' as const, 'suffix' as const),
      attributes: fc.array(fc.tuple(names, word), { minLength: 1, maxLength: 2 }),
    }),
    fc.record({ kind: fc.constant('not' as const), filter: tie('filter') }),
    fc.record({
      kind: fc.constantFrom('all' as const, 'any' as const),
      filters: fc.array(tie('filter'), { minLength: 1, maxLength: 3 }),
    }),
  ),
}));
const attributes = fc.record(
  { type: typeText, source: word, subject: word, 'header.x-tenant': word },
  { requiredKeys: [] },
);

test('a message is wanted exactly when the model says so, also when its type was seen before', () => {
  fc.assert(
    fc.property(
      fc.array(binding, { maxLength: 4 }),
      fc.array(filter, { maxLength: 2 }),
      fc.array(attributes, { minLength: 1, maxLength: 10 }),
      (bindings, filters, messages) => {
        const made = new MessageFilter({ bindings, filters, methods: null });
        for (const message of messages) {
          const wanted =
            modelBinds(bindings, message.type) && filters.every((one) => modelHolds(one, message as Attributes));
          expect(made.matches(headersOf(message as Attributes), nothing)).toBe(wanted);
        }
      },
    ),
    { numRuns: 2000 },
  );
});

test('more types than are remembered change nothing', () => {
  const made = new MessageFilter({
    bindings: [{ kind: 'regex', type: 't[0-9]*7', isAnchored: true }],
    filters: [],
    methods: null,
  });
  for (let round = 0; round < 2; round += 1) {
    for (let i = 0; i < 3000; i += 1) expect(made.matches({ 'bigpipe-type': `t${i}` }, nothing)).toBe(i % 10 === 7);
  }
});

describe('patterns', () => {
  test.each(['(x+x+)+y', '((x{4}){10})', '(.*)*(.*)*(.*)*y', '(x?){50}x{50}', '\\pL{200}'])(
    'that hang other engines do not hang this one: %s',
    (pattern) => {
      const made = typePatternOf(pattern, true);
      if (typeof made === 'string') throw new Error(made);
      expect(typeof made.matches('x'.repeat(256))).toBe('boolean');
    },
  );

  test.each([
    ['(x{1000}){1000}', 'invalid repeat count'],
    ['(((x{10}){10}){10})', 'repeats too much'],
    ['x'.repeat(257), 'longer than 256'],
    ['(a)\\1', 'invalid escape sequence'],
    ['x(?=y)', 'unsupported'],
    ['[', 'missing closing'],
  ])('that are too much, or none, are told: %s', (pattern, why) => {
    expect(typePatternOf(pattern, true)).toContain(why);
  });
});

test.each([
  [[{ exact: { type: 'a', source: 'b' } }, { not: { any: [{ prefix: { subject: 'x' } }] } }], true],
  [[{ suffix: { 'header.x-tenant': 'x' } }], true],
  [[], true],
  [[{ exact: {} }], false],
  [[{ exact: { Type: 'a' } }], false],
  [[{ exact: { type: 1 } }], false],
  [[{ exact: { type: '' } }], false],
  [[{ sql: 'a = 1' }], false],
  [[{ all: [] }], false],
  [[{ exact: { type: 'a' }, prefix: { type: 'a' } }], false],
  [{ exact: { type: 'a' } }, false],
  [['a'], false],
  [[{ any: Array.from({ length: 101 }, () => ({ exact: { type: 'a' } })) }], false],
  [[Array.from({ length: 9 }).reduce<object>((inner) => ({ not: inner }), { exact: { type: 'a' } })], false],
])('filters are checked: %j', (filters, isFine) => {
  expect(eventFiltersOf(filters) !== null).toBe(isFine);
});

test('what no subscription of the topic wants is counted once', () => {
  const wants = new TopicWants();
  const direct = (groupId: string, type: string) => newSubscription({ groupId, bindings: [{ kind: 'direct', type }] });
  wants.adjust([direct('B', 'b'), direct('A', 'a')]);
  for (const type of ['a', 'b', 'c']) {
    for (const groupId of ['A', 'B'])
      if (type !== groupId.toLowerCase()) wants.refusedBy(groupId, { 'bigpipe-type': type }, nothing);
  }
  expect(wants.unmatched).toBe(1);
  wants.adjust([]);
  expect(wants.unmatched).toBe(1);
});
