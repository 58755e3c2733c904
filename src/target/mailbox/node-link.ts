// The way to another node's main listener: one request, one answer, within a bound.
import { readFileSync } from 'node:fs';
import { Agent, type IncomingMessage, request } from 'node:http';
import { Agent as TlsAgent, request as tlsRequest } from 'node:https';
import { rootCertificates } from 'node:tls';
import type { Settings } from '../../config-watch/settings.js';

/** Connections to one node; more requests wait for one of them. */
const maxSockets = 64;
const idleMs = 30_000;
/** An answer has at most bodies of 4 MiB and one message more, in base64. */
const answerMaxBytes = 67_108_864;

export interface NodeAnswer {
  readonly status: number;
  readonly body: Buffer;
}

export class NodeLink {
  private readonly url: URL;
  private readonly agent: Agent;

  /** Throws when a file of its certificates cannot be read. */
  constructor(
    address: string,
    private readonly settings: Pick<Settings, 'egress' | 'server'>,
  ) {
    this.url = new URL(address);
    const shared = { keepAlive: true, keepAliveMsecs: idleMs, maxSockets, timeout: idleMs };
    this.agent = this.isTls ? new TlsAgent({ ...shared, ...this.certificates() }) : new Agent(shared);
  }

  /** Rejects when there is no whole answer, for whatever reason, or `signal` aborts. */
  post(path: string, headers: Record<string, string>, body: Buffer, signal: AbortSignal): Promise<NodeAnswer> {
    const all = { ...headers, 'content-type': 'application/json', 'content-length': `${body.length}` };
    const options = { method: 'POST', agent: this.agent, headers: all, signal };
    return new Promise((resolve, reject) => {
      const taken = (answer: IncomingMessage) => {
        readWhole(answer).then((whole) => resolve({ status: answer.statusCode ?? 0, body: whole }), reject);
      };
      const asked = (this.isTls ? tlsRequest : request)(new URL(path, this.url), options, taken);
      asked.once('error', reject);
      asked.end(body);
    });
  }

  close(): void {
    this.agent.destroy();
  }

  private get isTls(): boolean {
    return this.url.protocol === 'https:';
  }

  /** Whom this node trusts, and who it is for a listener that asks: as its receivers and its callers know it. */
  private certificates() {
    const { egress, server } = this.settings;
    const ca = egress.tls.caFile === null ? {} : { ca: [...rootCertificates, readFileSync(egress.tls.caFile)] };
    const { certFile = null, keyFile = null } = server.tls ?? {};
    if (certFile === null || keyFile === null) return ca;
    return { ...ca, cert: readFileSync(certFile), key: readFileSync(keyFile) };
  }
}

async function readWhole(answer: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of answer) {
    bytes += (part as Buffer).length;
    if (bytes > answerMaxBytes) throw new Error(`its answer is longer than ${answerMaxBytes} bytes`);
    parts.push(part as Buffer);
  }
  return Buffer.concat(parts);
}
