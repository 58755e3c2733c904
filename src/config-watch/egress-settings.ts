// From the validated keys to where calls may go.
import { portRangeOf } from './port-range.js';
import type { EgressSection } from './schema/egress.js';
import type { TlsSection } from './schema/tls.js';
import type { EgressSettings } from './settings.js';
import { egressTlsOf } from './tls-settings.js';

export function egressOf(section: EgressSection, tls: TlsSection): EgressSettings {
  return {
    allow: section['egress.allow'],
    ports: section['egress.ports']?.map(portRangeOf).filter((range) => range !== null) ?? null,
    schemes: section['egress.schemes'],
    dnsServers: section['egress.dns.servers'] ?? null,
    tls: egressTlsOf(tls),
  };
}
