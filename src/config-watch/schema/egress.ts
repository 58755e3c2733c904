// The user's keys about where calls may go.
import { callSchemes } from '../../message/call-url.js';
import { Allowances, DnsServers, Optional, Ports, SomeOf } from './rules.js';

export class EgressSection {
  /** What calls may go to beside public addresses: a name opens private addresses, all others have to be named themselves. */
  @Allowances()
  'egress.allow': string[] = [];

  /** Any when absent. */
  @Optional()
  @Ports()
  'egress.ports'?: (number | string)[];

  /** What a URL may begin with. */
  @SomeOf(callSchemes)
  'egress.schemes': (typeof callSchemes)[number][] = [...callSchemes];

  /** Who is asked for the addresses of names; the system (its hosts file too) when absent. */
  @Optional()
  @DnsServers()
  'egress.dns.servers'?: string[];
}
