// May this name, with this secret, send; to which topics, and to which URLs.
import { hash, randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { Injectable } from '@nestjs/common';
import type { Adjustable } from '../config-watch/adjustable.js';
import { ConfigWatch } from '../config-watch/config-watch.js';
import type { AclSettings, Settings } from '../config-watch/settings.js';
import { Clock } from '../message/clock.js';
import { networkOf } from '../message/ip-address.js';
import { Quota } from '../message/quota.js';
import { RecentMap } from '../message/recent-map.js';
import { type AclEntry, Rights } from './acl-entry.js';
import { AttemptLimit } from './attempt-limit.js';
import { SecretCheck } from './secret-check.js';

/** Callers times the addresses they come from; twice as many at the most, some 200 bytes each. */
const maxVerified = 16_384;
/** Wrong secrets: who mistypes goes on at once, who guesses has some 9,000 tries a day and address. */
const addressLimit = { perSecond: 0.1, burst: 20 };
/** From all addresses together. */
const nameLimit = { perSecond: 1, burst: 100 };
/** Verifications that take long and wait for their turn; it is one at a time, since each holds one of libuv's threads. */
const maxStretching = 256;

/** Who was let in last on a connection. */
interface Guest {
  readonly name: string;
  readonly secret: string;
  readonly rights: Rights;
}

interface Caller {
  readonly rights: Rights;
  readonly secrets: SecretCheck;
}

/** Takes as long wherever two of one length differ. */
function isSameSecret(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i += 1) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}

@Injectable()
export class Acl implements Adjustable {
  readonly name = 'acl';
  /** So that nobody outside can tell which digests are near one another, or keep one that still says something. */
  private readonly key = randomBytes(32).toString('base64');
  private callers: ReadonlyMap<string, Caller> = new Map();
  /** Compared against when the name is unknown, so that the answer takes as long. */
  private nobody = new SecretCheck([]);
  /** Verified, by the keyed digest of name and secret, and of these and the address. */
  private readonly verified = new RecentMap<string, Rights>(maxVerified);
  /** By connection: who calls again on the same one, with the same secret, is known without its digest. */
  private guests = new WeakMap<object, Guest>();
  /** By name: a reload keeps what was used. */
  private quotas: ReadonlyMap<string, Quota> = new Map();
  private readonly stretching = new Map<string, Promise<Rights | null>>();
  private turn: Promise<unknown> = Promise.resolve();
  private readonly byAddress = new AttemptLimit(addressLimit);
  private readonly byName = new AttemptLimit(nameLimit);

  constructor(
    configWatch: ConfigWatch,
    private readonly clock: Clock,
  ) {
    this.take(configWatch.settings.acl);
  }

  adjust({ acl }: Settings, current: Settings): void {
    if (!isDeepStrictEqual(acl, current.acl)) this.take(acl);
  }

  /**
   * What the caller may do; null for an unknown name, a wrong secret, and for one who got it wrong too often, which nobody
   * can tell apart. A promise only where a stretched secret (`scrypt:`) is presented for the first time; it never rejects.
   *
   * Wrong secrets are counted by `address` and by name. Past the bound nothing that is presented is looked at, except from
   * who was let in before with the same secret from the same address: nobody can shut another one out.
   *
   * `connection`: the call came on it, from that address.
   */
  check(
    name: string,
    secret: string,
    address = '',
    connection: object | null = null,
  ): AclEntry | null | Promise<AclEntry | null> {
    if (connection === null) return this.checkAnew(name, secret, address);
    const guest = this.guests.get(connection);
    if (guest !== undefined && guest.name === name && isSameSecret(guest.secret, secret)) return guest.rights;
    const found = this.checkAnew(name, secret, address);
    if (found instanceof Rights) this.guests.set(connection, { name, secret, rights: found });
    return found;
  }

  private checkAnew(name: string, secret: string, address: string): Rights | null | Promise<Rights | null> {
    const here = this.digest(`${address}\n${name.length}:${name}${secret}`);
    return this.verified.get(here) ?? this.checkUnknown(name, secret, address, here);
  }

  /** Of a caller whose secret another node has looked at; null for an unknown name. */
  named(name: string): AclEntry | null {
    return this.callers.get(name)?.rights ?? null;
  }

  private checkUnknown(
    name: string,
    secret: string,
    address: string,
    here: string,
  ): Rights | null | Promise<Rights | null> {
    const nowMs = this.clock.elapsedMs();
    const [from, whose] = [networkOf(address), this.digest(`\n${name}`)];
    if (this.byAddress.waitMs(from, nowMs) > 0 || this.byName.waitMs(whose, nowMs) > 0) return null;
    const anywhere = this.digest(`\n\n${name.length}:${name}${secret}`);
    const end = (rights: Rights | null) => {
      if (rights === null) return null;
      this.verified.set(here, rights);
      return rights;
    };
    const elsewhere = this.verified.get(anywhere);
    if (elsewhere !== undefined) return end(elsewhere);
    // Taken before it is known to be wrong: a thousand guesses at once are a thousand.
    this.byAddress.take(from, nowMs);
    this.byName.take(whose, nowMs);
    const settle = (rights: Rights | null) => {
      if (rights === null) return null;
      this.byAddress.giveBack(from);
      this.byName.giveBack(whose);
      return end(rights);
    };
    const found = this.verify(name, secret, anywhere);
    return found instanceof Promise ? found.then(settle) : settle(found);
  }

  private verify(name: string, secret: string, anywhere: string): Rights | null | Promise<Rights | null> {
    const caller = this.callers.get(name);
    const secrets = caller?.secrets ?? this.nobody;
    const isRight = secrets.matchesAtOnce(secret);
    if (isRight || !secrets.isStretched) return isRight ? (caller?.rights ?? null) : null;
    const running = this.stretching.get(anywhere);
    if (running !== undefined) return running;
    if (this.stretching.size >= maxStretching) return null;
    const verifying = this.verifyStretched(name, caller, secrets, secret, anywhere);
    this.stretching.set(anywhere, verifying);
    return verifying;
  }

  private async verifyStretched(
    name: string,
    caller: Caller | undefined,
    secrets: SecretCheck,
    secret: string,
    anywhere: string,
  ): Promise<Rights | null> {
    const matches = this.turn.then(() => secrets.matchesStretched(secret));
    this.turn = matches.catch(() => undefined);
    // Out of memory is no match.
    const isRight = await matches.catch(() => false);
    this.stretching.delete(anywhere);
    // The settings may have changed meanwhile.
    if (!isRight || caller === undefined || this.callers.get(name) !== caller) return null;
    this.verified.set(anywhere, caller.rights);
    return caller.rights;
  }

  private digest(text: string): string {
    return hash('sha256', this.key + text, 'base64');
  }

  private take(acl: readonly AclSettings[]): void {
    const quotas = new Map(acl.flatMap((entry) => this.quotaOf(entry)));
    this.quotas = quotas;
    const callers = acl.map((entry): [string, Caller] => [
      entry.name,
      {
        rights: new Rights(entry, quotas.get(entry.name) ?? null, this.clock),
        secrets: new SecretCheck(entry.secrets),
      },
    ]);
    this.callers = new Map(callers);
    const slowest = acl.flatMap(({ secrets }) => secrets).findLast(({ kind }) => kind === 'scrypt');
    this.nobody = new SecretCheck(slowest === undefined ? [{ kind: 'plain', text: this.key }] : [slowest]);
    this.verified.clear();
    this.guests = new WeakMap();
  }

  private quotaOf({ name, rate }: AclSettings): readonly (readonly [string, Quota])[] {
    if (rate === null) return [];
    const known = this.quotas.get(name);
    known?.adjust(rate, this.clock.elapsedMs());
    return [[name, known ?? new Quota('calls', rate)]];
  }
}
