// Who wants a message, of all who said what they want of a topic: found through its type, not by asking each of them.
import { type MessageHeaders, messageHeader } from '../message/message.js';
import type { Interest } from './interest.js';

/** Types whose answer is remembered, and names in these answers together; with more of either all are forgotten. */
const maxTypes = 1024;
const maxNames = 262_144;

interface Candidates<M> {
  /** The type alone decides. */
  readonly sure: readonly M[];
  /** Each message has to be looked at. */
  readonly asked: readonly M[];
}

export class InterestIndex<M> {
  private readonly members = new Map<M, { readonly group: string; readonly interest: Interest }>();
  private readonly ofGroup = new Map<string, Set<M>>();
  /** Those that name the types they want. */
  private readonly exact = new Map<string, Set<M>>();
  /** Those that have to be asked for each type. */
  private readonly others = new Set<M>();
  private readonly remembered = new Map<string | null, Candidates<M>>();
  private names = 0;

  set(member: M, group: string, interest: Interest): void {
    this.delete(member);
    this.members.set(member, { group, interest });
    add(this.ofGroup, group, member);
    if (interest.types === null) this.others.add(member);
    else for (const type of interest.types) add(this.exact, type, member);
    this.forget();
  }

  delete(member: M): void {
    const known = this.members.get(member);
    if (known === undefined) return;
    this.members.delete(member);
    this.others.delete(member);
    remove(this.ofGroup, known.group, member);
    for (const type of known.interest.types ?? []) remove(this.exact, type, member);
    this.forget();
  }

  get isEmpty(): boolean {
    return this.members.size === 0;
  }

  /** Each of them once. */
  whoWants(headers: MessageHeaders, body: Buffer): readonly M[] {
    const only = headers[messageHeader.onlyGroup];
    if (only !== undefined) return [...(this.ofGroup.get(only) ?? [])];
    const { sure, asked } = this.candidatesOf(headers[messageHeader.type] ?? null);
    if (asked.length === 0) return sure;
    return [...sure, ...asked.filter((member) => this.members.get(member)?.interest.matches(headers, body) === true)];
  }

  private candidatesOf(type: string | null): Candidates<M> {
    const known = this.remembered.get(type);
    if (known !== undefined) return known;
    const named = type === null ? [] : (this.exact.get(type) ?? []);
    const others = [...this.others].filter((member) => this.members.get(member)?.interest.wantsType(type) === true);
    const { true: sure = [], false: asked = [] } = Object.groupBy([...named, ...others], (member) =>
      this.members.get(member)?.interest.isByType === true ? 'true' : 'false',
    );
    if (this.remembered.size >= maxTypes || this.names >= maxNames) this.forget();
    this.remembered.set(type, { sure, asked });
    this.names += sure.length + asked.length;
    return { sure, asked };
  }

  private forget(): void {
    this.remembered.clear();
    this.names = 0;
  }
}

function add<M>(sets: Map<string, Set<M>>, name: string, member: M): void {
  const set = sets.get(name);
  if (set === undefined) sets.set(name, new Set([member]));
  else set.add(member);
}

function remove<M>(sets: Map<string, Set<M>>, name: string, member: M): void {
  const set = sets.get(name);
  set?.delete(member);
  if (set?.size === 0) sets.delete(name);
}
