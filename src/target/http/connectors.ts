// How connections to receivers are made: where to, whom to trust, and who we say we are.
import type { LookupFunction } from 'node:net';
import { getCACertificates } from 'node:tls';
import { buildConnector } from 'undici';
import { matchesOrigin } from '../../config-watch/origin-pattern.js';
import type { EgressTlsSettings } from '../../config-watch/settings.js';
import type { TlsMaterial } from '../../config-watch/tls-files.js';

/** An attempt's own deadline cuts its connection while it is being made; this bounds deadlines that are longer. */
const connectTimeoutMs = 30_000;

export type HttpVersion = 'http/1.1' | 'h2';
export type Connector = buildConnector.connector;
export type Connected = buildConnector.Callback;

export class Connectors {
  /** Shows no certificate, whoever asks. */
  private readonly unnamed: buildConnector.connector;
  private readonly named: buildConnector.connector;

  constructor(
    private readonly settings: EgressTlsSettings,
    { cert, key, ca }: TlsMaterial,
    lookup: LookupFunction,
    version: HttpVersion = 'http/1.1',
  ) {
    const trust = ca === undefined ? {} : { ca: [...getCACertificates('default'), ca] };
    const isH2 = version === 'h2';
    const options = { timeout: connectTimeoutMs, allowH2: isH2, preferH2: isH2, lookup, ...trust };
    this.unnamed = buildConnector(options);
    this.named = cert === undefined || key === undefined ? this.unnamed : buildConnector({ ...options, cert, key });
  }

  of(origin: string): buildConnector.connector {
    const { origins } = this.settings;
    return origins === null || origins.some((pattern) => matchesOrigin(pattern, origin)) ? this.named : this.unnamed;
  }
}
