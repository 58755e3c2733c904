// THE STATE MACHINE of one transaction: what each record of the log makes of it; pure. Drawn in docs/state-machines.md.

export const verbs = ['commit', 'rollback'] as const;
export type Verb = (typeof verbs)[number];

export const deciders = ['producer', 'check', 'operator', 'ttl'] as const;
export type Decider = (typeof deciders)[number];

/** What came back for a check. silent: no answer that says anything. unsent: the check was not sent at all. */
export const sayings = ['commit', 'rollback', 'unknown', 'silent', 'unsent'] as const;
export type Saying = (typeof sayings)[number];

export interface Undecided {
  readonly kind: 'undecided';
  /** Checks that were sent and decided nothing. */
  readonly checks: number;
  /** Questions that were put, to whichever instance; names the next one. */
  readonly asks: number;
  /** Instances that were silent since the last check that counts. */
  readonly silent: number;
  /** The question that is under way; null: none. */
  readonly asked: { readonly ask: number; readonly untilMs: number } | null;
  /** Unix milliseconds from which the next wait counts; 0: from the beginning. */
  readonly sinceMs: number;
}

export interface Decided {
  /**
   * committing: its messages are being appended. burying: they are being made dead letters. The other two are for ever.
   */
  readonly kind: 'committing' | 'committed' | 'burying' | 'rolled-back';
  readonly by: Decider;
  /** Unix milliseconds of the decision's record. */
  readonly decidedMs: number;
  /** Who decided and does what follows; '': whoever owns the transactions. */
  readonly node: string;
}

export type State = Undecided | Decided;

/** What happens to a transaction: one record each. */
export type Happening =
  /** `keep`: what is rolled back is kept as dead letters. */
  | {
      readonly kind: 'decide';
      readonly verb: Verb;
      readonly by: Decider;
      readonly node: string;
      readonly keep: boolean;
    }
  | { readonly kind: 'asked'; readonly ask: number; readonly untilMs: number }
  | { readonly kind: 'answer'; readonly ask: number; readonly says: Saying }
  /** All that follows from the decision is done. */
  | { readonly kind: 'done' }
  /** An operator wants its producer to be asked again. */
  | { readonly kind: 'again' };

export const begun: Undecided = Object.freeze({
  kind: 'undecided',
  checks: 0,
  asks: 0,
  silent: 0,
  asked: null,
  sinceMs: 0,
});

/** `atMs`: when the record was stored; `instances`: how many of the producer may be asked. The same object: nothing has changed. */
export function next(state: State, what: Happening, atMs: number, instances: number): State {
  if (state.kind !== 'undecided') return whenDecided(state, what);
  switch (what.kind) {
    case 'decide':
      return decided(what.verb, what.by, what.node, what.keep, atMs);
    case 'answer':
      // Whichever question it answers: the producer knows.
      if (what.says === 'commit' || what.says === 'rollback') return decided(what.says, 'check', '', false, atMs);
      return answered(state, what.ask, what.says, atMs, instances);
    case 'asked':
      return { ...state, asks: what.ask + 1, asked: { ask: what.ask, untilMs: what.untilMs } };
    case 'again':
      return { ...state, checks: 0, silent: 0, asked: null, sinceMs: atMs };
    case 'done':
      return state;
  }
}

function whenDecided(state: Decided, what: Happening): State {
  if (what.kind !== 'done') return state;
  if (state.kind === 'committing') return { ...state, kind: 'committed' };
  return state.kind === 'burying' ? { ...state, kind: 'rolled-back' } : state;
}

function decided(verb: Verb, by: Decider, node: string, keep: boolean, decidedMs: number): Decided {
  if (verb === 'commit') return { kind: 'committing', by, decidedMs, node };
  return { kind: keep ? 'burying' : 'rolled-back', by, decidedMs, node };
}

/** Once for each question; what was not sent does not count, and an instance that is silent is no answer while another can be asked. */
function answered(
  state: Undecided,
  ask: number,
  says: 'unknown' | 'silent' | 'unsent',
  atMs: number,
  instances: number,
): State {
  if (state.asked?.ask !== ask) return state;
  const settled = { ...state, asked: null, sinceMs: atMs };
  if (says === 'unsent') return settled;
  if (says === 'silent' && state.silent + 1 < instances) return { ...settled, silent: state.silent + 1 };
  return { ...settled, checks: state.checks + 1, silent: 0 };
}

/** No check will decide it any more. */
export const isInDoubt = (state: State, maxChecks: number): boolean =>
  state.kind === 'undecided' && state.asked === null && state.checks >= maxChecks;

/** Something must still be appended. */
export const isUnderWay = ({ kind }: State): boolean => kind === 'committing' || kind === 'burying';

export const isOver = ({ kind }: State): boolean => kind === 'committed' || kind === 'rolled-back';
