// Which messages of its topic a subscription wants: its bindings, and its filters.

import type { Interest } from '../broker/interest.js';
import type { BindingSettings, EventFilter } from '../config-watch/settings.js';
import { typePatternOf } from '../config-watch/type-pattern.js';
import { attributeOf } from '../message/attributes.js';
import { type MessageHeaders, messageHeader } from '../message/message.js';
import { RecentMap } from '../message/recent-map.js';
import { methodOf } from './body-method.js';

/** Types whose answer is remembered; twice as many at the most. */
const maxRemembered = 1024;

export interface FilterSettings {
  /** Any of them is enough; none: all types, and messages without one. */
  readonly bindings: readonly BindingSettings[];
  /** All of them must hold. */
  readonly filters: readonly EventFilter[];
  /** The methods that a body may ask for; null: any body. */
  readonly methods: readonly string[] | null;
}

/** The same answer for the same headers, always; a type is asked of the patterns once. */
export class MessageFilter implements Interest {
  /** Whatever comes. */
  readonly takesAll: boolean;
  readonly types: ReadonlySet<string> | null;
  readonly isByType: boolean;
  private readonly byType = new RecentMap<string, boolean>(maxRemembered);
  private readonly isBound: (type: string) => boolean;
  private readonly holds: (headers: MessageHeaders) => boolean;
  private readonly takesTypeless: boolean;
  private readonly methods: ReadonlySet<string> | null;

  constructor({ bindings, filters, methods }: FilterSettings) {
    const anyType = bindings.length === 0 || bindings.some(({ kind }) => kind === 'fanout');
    this.takesAll = anyType && filters.length === 0 && methods === null;
    const exact = bindings.flatMap((binding) => (binding.kind === 'direct' ? [binding.type] : []));
    this.types = !anyType && exact.length === bindings.length ? new Set(exact) : null;
    this.isByType = methods === null && filters.length === 0;
    this.methods = methods === null ? null : new Set(methods);
    this.takesTypeless = anyType;
    this.isBound = anyType ? () => true : typeMatcherOf(bindings);
    const tests = filters.map(testOf);
    this.holds = (headers) => tests.every((test) => test(headers));
  }

  matches(headers: MessageHeaders, body: Buffer): boolean {
    if (this.takesAll) return true;
    return this.takesType(headers[messageHeader.type]) && this.holds(headers) && this.takesMethod(headers, body);
  }

  wantsType(type: string | null): boolean {
    return type === null ? this.takesTypeless : this.isBound(type);
  }

  /** Messages that name a URL are no calls of a method; bodies that name no method are for the dead letters. */
  private takesMethod(headers: MessageHeaders, body: Buffer): boolean {
    if (this.methods === null || headers[messageHeader.url] !== undefined) return true;
    const method = methodOf(body);
    return method === null || this.methods.has(method);
  }

  private takesType(type: string | undefined): boolean {
    if (this.takesTypeless) return true;
    if (type === undefined) return false;
    let known = this.byType.get(type);
    if (known === undefined) {
      known = this.isBound(type);
      this.byType.set(type, known);
    }
    return known;
  }
}

function typeMatcherOf(bindings: readonly BindingSettings[]): (type: string) => boolean {
  const exact = new Set(bindings.flatMap((binding) => (binding.kind === 'direct' ? [binding.type] : [])));
  const patterns = bindings.flatMap((binding) => {
    if (binding.kind !== 'regex') return [];
    const pattern = typePatternOf(binding.type, binding.isAnchored);
    // The settings were checked.
    if (typeof pattern === 'string') throw new Error(`the pattern ${binding.type}: ${pattern}`);
    return [pattern];
  });
  return (type) => exact.has(type) || patterns.some((pattern) => pattern.matches(type));
}

/** An attribute that is not there equals nothing, begins with nothing, and ends with nothing. */
function testOf(filter: EventFilter): (headers: MessageHeaders) => boolean {
  switch (filter.kind) {
    case 'not': {
      const test = testOf(filter.filter);
      return (headers) => !test(headers);
    }
    case 'all': {
      const tests = filter.filters.map(testOf);
      return (headers) => tests.every((test) => test(headers));
    }
    case 'any': {
      const tests = filter.filters.map(testOf);
      return (headers) => tests.some((test) => test(headers));
    }
    default: {
      const compare = comparisons[filter.kind];
      return (headers) =>
        filter.attributes.every(([name, text]) => {
          const value = attributeOf(headers, name);
          return value !== undefined && compare(value, text);
        });
    }
  }
}

const comparisons = {
  exact: (value: string, text: string) => value === text,
  prefix: (value: string, text: string) => value.startsWith(text),
  suffix: (value: string, text: string) => value.endsWith(text),
} as const;
