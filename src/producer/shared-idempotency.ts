// Idempotency keys as all nodes know them at the same moment, while there is something that they share; else as one node does.
import { randomUUID } from 'node:crypto';
import { Injectable, Logger } from '@nestjs/common';
import { durabilities } from '../broker/broker.js';
import { ConfigWatch } from '../config-watch/config-watch.js';
import { textOf } from '../message/errors.js';
import { SharedState } from '../shared-state/shared-state.js';
import { type Claim, Idempotency, type IdempotencyScope, type OnceKey, type StoredAnswer } from './idempotency.js';
import { NodeIdempotency } from './node-idempotency.js';

/** A node that dies while it stores a call holds its key so long; longer than any append lasts. */
const underWayMs = 120_000;

const keyOf = ({ key }: OnceKey) => `once:${key.toString('hex')}`;
type NewClaim = Extract<Claim, { kind: 'new' }>;

/** What stands under a key: a call that is being stored, or what it was answered. */
interface Known {
  readonly fingerprint: string;
  readonly answer: StoredAnswer | null;
}

/**
 * The node's own keys are asked first and written always: they survive what is shared. A call that was claimed while nothing
 * could be asked is known to its node alone, and its answer says so.
 */
@Injectable()
export class SharedIdempotency extends Idempotency {
  private readonly log = new Logger(Idempotency.name);

  constructor(
    private readonly own: NodeIdempotency,
    private readonly state: SharedState,
    private readonly configWatch: ConfigWatch,
  ) {
    super();
  }

  override get scope(): IdempotencyScope {
    return this.state.scope === 'cluster' && this.state.health().ok ? 'shared' : 'node';
  }

  override async claim(once: OnceKey): Promise<Claim> {
    const claim = await this.own.claim(once);
    if (this.state.scope === 'node' || !this.state.isWorthAsking()) return claim;
    if (claim.kind === 'known') return { ...claim, scope: await this.share(once, claim.answer) };
    if (claim.kind !== 'new') return claim;
    const mine = Buffer.from(`${once.fingerprint.toString('hex')} ${randomUUID()}`);
    let found: Buffer | null;
    try {
      found = await this.state.claim(keyOf(once), mine, underWayMs);
    } catch (error) {
      this.unheard(error);
      return claim;
    }
    if (found === null) return this.sharedClaim(claim, once, mine);
    claim.failed();
    const known = knownOf(found);
    if (known.fingerprint !== once.fingerprint.toString('hex')) return { kind: 'other payload' };
    if (known.answer === null) return { kind: 'in progress' };
    return { kind: 'known', answer: known.answer, scope: 'shared' };
  }

  override close(): Promise<void> {
    return this.own.close();
  }

  /** One that this node knows, perhaps from a time in which nobody else could be told. */
  private async share(once: OnceKey, answer: StoredAnswer): Promise<IdempotencyScope> {
    const answered = answeredOf(once, answer);
    try {
      const found = await this.state.claim(keyOf(once), answered, this.configWatch.settings.idempotency.ttlMs);
      return found === null || found.equals(answered) ? 'shared' : 'node';
    } catch (error) {
      this.unheard(error);
      return 'node';
    }
  }

  private sharedClaim(claim: NewClaim, once: OnceKey, mine: Buffer): NewClaim {
    let stored: StoredAnswer | null = null;
    return {
      kind: 'new',
      record: (answer) => {
        stored = answer;
        return claim.record(answer);
      },
      stored: async (offset) => {
        const scope = await claim.stored(offset);
        const answered = answeredOf(once, stored as StoredAnswer);
        try {
          await this.state.set(keyOf(once), answered, this.configWatch.settings.idempotency.ttlMs);
          return 'shared';
        } catch (error) {
          this.unheard(error);
          return scope;
        }
      },
      failed: () => {
        claim.failed();
        // Not one that somebody else has claimed since.
        this.state.removeIf(keyOf(once), mine).catch((error: unknown) => this.unheard(error));
      },
    };
  }

  private unheard(error: unknown): void {
    this.log.debug({ msg: 'an idempotency key is known to this node alone', error: textOf(error) });
  }
}

const answeredOf = ({ fingerprint }: OnceKey, { id, durability }: StoredAnswer) =>
  Buffer.from(`${fingerprint.toString('hex')} ${durability} ${id}`);

/** Something that cannot be read is a call of somebody else. */
function knownOf(bytes: Buffer): Known {
  const [fingerprint = '', word, id] = bytes.toString().split(' ');
  const durability = durabilities.find((known) => known === word);
  return { fingerprint, answer: durability === undefined || id === undefined ? null : { id, durability } };
}
