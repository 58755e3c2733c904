// Certificates of an authority made for one test, by the machine's openssl.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Certificate {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: string;
  readonly key: string;
}

const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

/** Ends with the test: call `dispose`. */
export class Authority {
  readonly directory = mkdtempSync(join(tmpdir(), 'bigpipe-certificates-'));
  readonly caFile: string;
  private made = 0;

  constructor(name = 'an authority') {
    this.caFile = join(this.directory, 'ca.pem');
    const key = join(this.directory, 'ca.key');
    this.openssl('req', '-x509', ...curve, '-keyout', key, '-out', this.caFile, '-days', '30', '-subj', `/CN=${name}`);
  }

  get ca(): string {
    return readFileSync(this.caFile, 'utf8');
  }

  /** For 127.0.0.1 and localhost; `days` it is good for. */
  issue(name: string, days = 30): Certificate {
    this.made += 1;
    const place = join(this.directory, `${this.made}`);
    const [certFile, keyFile, request, extensions] = [`${place}.pem`, `${place}.key`, `${place}.csr`, `${place}.ext`];
    writeFileSync(extensions, 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
    this.openssl('req', ...curve, '-keyout', keyFile, '-out', request, '-subj', `/CN=${name}`);
    const signing = [
      '-CA',
      this.caFile,
      '-CAkey',
      join(this.directory, 'ca.key'),
      '-CAcreateserial',
      '-days',
      `${days}`,
    ];
    this.openssl('x509', '-req', '-in', request, '-out', certFile, '-extfile', extensions, ...signing);
    return { certFile, keyFile, cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') };
  }

  dispose(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  private openssl(...args: readonly string[]): void {
    execFileSync('openssl', args, { stdio: 'pipe' });
  }
}
