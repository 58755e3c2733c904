// The TLS part of the snapshot, and what is wrong with it.
import type { Faults } from './faults.js';
import { originPatternOf } from './origin-pattern.js';
import type { TlsSection } from './schema/tls.js';
import type { EgressTlsSettings, TlsFileNames } from './settings.js';

type Place = 'http.server.tls' | 'grpc.server.tls' | 'management.tls';

/** null: not encrypted. */
export function listenerTlsOf(section: TlsSection, place: Place): TlsFileNames | null {
  const certFile = section[`${place}.cert`] ?? null;
  if (certFile === null) return null;
  const [keyFile, caFile] = [section[`${place}.key`] ?? null, section[`${place}.client.ca`] ?? null];
  return { certFile, keyFile, caFile };
}

export function egressTlsOf(section: TlsSection): EgressTlsSettings {
  const [certFile, keyFile, caFile] = (['cert', 'key', 'ca'] as const).map(
    (key) => section[`egress.tls.${key}`] ?? null,
  );
  const origins = section['egress.tls.origins']?.map(originPatternOf).filter((pattern) => pattern !== null) ?? null;
  return { certFile: certFile ?? null, keyFile: keyFile ?? null, caFile: caFile ?? null, origins };
}

export function collectTlsFaults(section: TlsSection, faults: Faults): void {
  for (const place of ['http.server.tls', 'grpc.server.tls', 'management.tls', 'egress.tls'] as const) {
    const [cert, key] = [section[`${place}.cert`], section[`${place}.key`]];
    if (cert !== undefined && key === undefined) faults.push(`${place}.key: found nothing beside ${place}.cert`);
    if (cert === undefined && key !== undefined) faults.push(`${place}.cert: found nothing beside ${place}.key`);
    if (place === 'egress.tls' || cert !== undefined) continue;
    if (section[`${place}.client.ca`] !== undefined)
      faults.push(`${place}.cert: found nothing beside ${place}.client.ca`);
  }
}
