// TLS of a listener: its options at the start, and new certificates while it is open.
import type { Server } from 'node:https';
import type { TlsFileNames } from './config-watch/settings.js';
import { TlsFiles, type TlsMaterial } from './config-watch/tls-files.js';
import type { Clock } from './message/clock.js';

export class ListenerTls {
  /** null: the listener is not encrypted. */
  private readonly files: TlsFiles | null;

  /** Throws SettingsError for files that do not do. */
  constructor(names: TlsFileNames | null, place: string, clock: Clock) {
    this.files = names === null ? null : new TlsFiles(names, place, clock);
  }

  /** For https.createServer; null: http. `handshakeMs`: who shakes hands more slowly is cut. */
  optionsWithin(handshakeMs: number): (TlsMaterial & { handshakeTimeout: number; requestCert: boolean }) | null {
    if (this.files === null) return null;
    const { material } = this.files;
    // Whoever shows no certificate that fits is refused in the handshake, which is Node's default.
    return { ...material, handshakeTimeout: handshakeMs, requestCert: material.ca !== undefined };
  }

  /** Connections from then on are shown what the files have become. */
  follow(server: object): void {
    this.files?.watch((material) => (server as Server).setSecureContext(material));
  }

  /** Before follow and twice is fine. */
  close(): void {
    this.files?.close();
  }
}
