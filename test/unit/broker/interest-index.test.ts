// Who wants a message, found through the index, is who would say so if each were asked.
import { expect, test } from 'vitest';
import { InterestIndex } from '#src/broker/interest-index.js';
import type { BindingSettings, EventFilter } from '#src/config-watch/settings.js';
import { messageHeader } from '#src/message/message.js';
import { MessageFilter } from '#src/subscription/message-filter.js';
import { Seeded, seedOfRun } from '../../support/seeded.js';

const types = ['a', 'b', 'ab', 'ba', 'abc', 'x'];
const nothing = Buffer.alloc(0);

function bindingOf(random: Seeded): BindingSettings {
  switch (random.below(5)) {
    case 0:
      return { kind: 'regex', type: random.pick(['a.*', '.*b', 'x|a', 'a?b?']), isAnchored: random.below(2) === 0 };
    case 1:
      return { kind: 'fanout' };
    default:
      return { kind: 'direct', type: random.pick(types) };
  }
}

function filterOf(random: Seeded): MessageFilter {
  const bindings = Array.from({ length: random.below(4) }, () => bindingOf(random));
  const exact: EventFilter = { kind: 'exact', attributes: [['source', random.pick(['/1', '/2'])]] };
  return new MessageFilter({ bindings, filters: random.below(3) === 0 ? [exact] : [], methods: null });
}

function headersOf(random: Seeded, groups: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {};
  if (random.below(8) > 0) headers[messageHeader.type] = random.pick(types);
  if (random.below(2) === 0) headers[`${messageHeader.forward}ce-source`] = random.pick(['/1', '/2', '/3']);
  if (random.below(10) === 0) headers[messageHeader.onlyGroup] = random.pick(groups);
  return headers;
}

test('the index agrees with asking everybody, while interests come, change and go', () => {
  const random = new Seeded(seedOfRun());
  const index = new InterestIndex<string>();
  const model = new Map<string, MessageFilter>();
  const groups = Array.from({ length: 20 }, (_, i) => `g${i}`);
  for (let step = 0; step < 5000; step += 1) {
    const group = random.pick(groups);
    const action = random.below(20);
    if (action === 0) {
      index.delete(group);
      model.delete(group);
    } else if (action === 1) {
      const filter = filterOf(random);
      index.set(group, group, filter);
      model.set(group, filter);
    } else {
      const headers = headersOf(random, groups);
      const only = headers[messageHeader.onlyGroup];
      const wanted = [...model].filter(([name, filter]) =>
        only === undefined ? filter.matches(headers, nothing) : only === name,
      );
      const found = index.whoWants(headers, nothing);
      expect([...found].sort(), `seed ${random.seed}, step ${step}`).toEqual(wanted.map(([name]) => name).sort());
    }
  }
});

test('what is remembered is bounded: any number of types may come', () => {
  const index = new InterestIndex<string>();
  for (let i = 0; i < 400; i += 1)
    index.set(`g${i}`, `g${i}`, new MessageFilter({ bindings: [{ kind: 'fanout' }], filters: [], methods: null }));
  for (let i = 0; i < 5000; i += 1) {
    expect(index.whoWants({ [messageHeader.type]: `t${i}` }, nothing)).toHaveLength(400);
  }
  const { remembered } = index as unknown as { remembered: Map<string, unknown> };
  expect(remembered.size).toBeLessThanOrEqual(1024);
});
