// The look-up of a receiver's name: connections are made to the addresses that were checked here, and to no others.
import { type LookupAddress, type LookupOptions, Resolver, lookup as systemLookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import type { EgressSettings } from '../../config-watch/settings.js';
import { type EgressRules, egressRulesOf, isLocalhost, loopbacks } from '../../message/egress-rules.js';

/** The target is one that calls may not go to: another attempt would end the same way. */
export class RefusedTarget extends Error {
  override readonly name = 'RefusedTarget';
}

type Found = (error: Error | null, addresses: readonly LookupAddress[]) => void;

/** c-ares waits so long for a server, and so often. */
const dnsTimeoutMs = 2000;
const dnsTries = 2;

export class EgressGuard {
  readonly rules: EgressRules;
  private readonly resolver: Resolver | null;

  constructor(settings: EgressSettings) {
    this.rules = egressRulesOf(settings);
    this.resolver = settings.dnsServers === null ? null : new Resolver({ timeout: dnsTimeoutMs, tries: dnsTries });
    this.resolver?.setServers([...(settings.dnsServers ?? [])]);
  }

  /**
   * In place of Node's own: it is asked once for each connection, and the connection goes to what it answers. Addresses that
   * are refused are left out; a name that has no other is refused.
   */
  readonly lookup: LookupFunction = (host, options, callback) => {
    this.find(host, options, (error, addresses) => {
      if (error !== null) {
        callback(error, '');
        return;
      }
      const allowed = addresses.filter(({ address }) => this.rules.againstAddress(address, host) === null);
      const [first] = allowed;
      if (first === undefined) callback(new RefusedTarget(`${host}: ${this.reasonAgainst(addresses, host)}`), '');
      else if (options.all === true) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };

  private reasonAgainst([first]: readonly LookupAddress[], host: string): string {
    return (first && this.rules.againstAddress(first.address, host)) ?? 'it has no address';
  }

  private find(host: string, options: LookupOptions, found: Found): void {
    const { resolver } = this;
    if (resolver === null) {
      systemLookup(host, { ...options, all: true }, (error, addresses) => found(error, addresses));
      return;
    }
    if (isLocalhost(host)) {
      found(null, loopbacks.map(withFamily));
      return;
    }
    let left = 2;
    const addresses: LookupAddress[] = [];
    let failure: Error | null = null;
    const add = (error: Error | null, more: readonly string[] | undefined) => {
      failure ??= error;
      for (const address of more ?? []) addresses.push(withFamily(address));
      left -= 1;
      if (left > 0) return;
      // A name of one family has an error for the other.
      if (addresses.length > 0 || failure === null) found(null, addresses);
      else found(failure, []);
    };
    resolver.resolve4(host, add);
    resolver.resolve6(host, add);
  }
}

const withFamily = (address: string): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 });
