// Certificates and keys in PEM files: read and checked at the start, and again whenever one of them changes.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Logger } from '@nestjs/common';
import type { Clock } from '../message/clock.js';
import { textOf } from '../message/errors.js';
import { FileWatch } from './file-watch.js';
import { SettingsError, type TlsFileNames } from './settings.js';

/** Texts as the files have them; what has no file is absent. */
export interface TlsMaterial {
  readonly cert?: string;
  readonly key?: string;
  readonly ca?: string;
}

/** A week. */
const soonMs = 604_800_000;

export class TlsFiles {
  private readonly log = new Logger(TlsFiles.name);
  private readonly watches: readonly FileWatch[];
  private current: TlsMaterial;

  /** `place`: the keys' common beginning, like "http.server.tls". Throws SettingsError for files that do not do. */
  constructor(
    private readonly names: TlsFileNames,
    private readonly place: string,
    private readonly clock: Clock,
  ) {
    const files = [names.certFile, names.keyFile, names.caFile].filter((file) => file !== null);
    // One for each: they may stand in different directories.
    this.watches = files.map(
      (path) =>
        new FileWatch(
          { path, files: () => files },
          clock,
          () => this.readAgain(),
          (msg) => this.log.warn({ msg }),
        ),
    );
    const read = this.read();
    if ('fault' in read) throw new SettingsError(place, [read.fault]);
    this.current = read.material;
  }

  get material(): TlsMaterial {
    return this.current;
  }

  /** `changed` is told of each new material that is in order; other files leave the old one in force, and an error in the log. */
  watch(changed: (material: TlsMaterial) => void): void {
    this.changed = changed;
    this.warnOfItsEnd();
    for (const each of this.watches) each.start();
  }

  /** Nothing is told after it. Twice is fine. */
  close(): void {
    for (const each of this.watches) each.close();
  }

  private changed: (material: TlsMaterial) => void = () => undefined;

  private readAgain(): void {
    const read = this.read();
    if ('fault' in read) {
      this.log.error({
        msg: 'certificates refused, the ones of before stay in force',
        place: this.place,
        fault: read.fault,
      });
      return;
    }
    const { cert, key, ca } = this.current;
    // Each of several watches tells of the same change.
    if (read.material.cert === cert && read.material.key === key && read.material.ca === ca) return;
    this.current = read.material;
    this.log.log({ msg: 'certificates read again', place: this.place });
    this.warnOfItsEnd();
    this.changed(read.material);
  }

  private read(): { material: TlsMaterial } | { fault: string } {
    const { certFile, keyFile, caFile } = this.names;
    try {
      const material: TlsMaterial = { ...text('cert', certFile), ...text('key', keyFile), ...text('ca', caFile) };
      this.check(material);
      return { material };
    } catch (error) {
      return { fault: `${this.place}: ${textOf(error)}` };
    }
  }

  /** Throws an Error that names the file. */
  private check({ cert, key, ca }: TlsMaterial): void {
    const { certFile, keyFile, caFile } = this.names;
    if (ca !== undefined) said(caFile, () => new X509Certificate(ca));
    if (cert === undefined || key === undefined) return;
    const certificate = said(certFile, () => new X509Certificate(cert));
    const privateKey = said(keyFile, () => createPrivateKey(key));
    if (!certificate.checkPrivateKey(privateKey)) throw new Error(`${keyFile} is not the key of ${certFile}`);
  }

  /** Only once the log is there. */
  private warnOfItsEnd(): void {
    const { cert } = this.current;
    if (cert === undefined) return;
    const certificate = new X509Certificate(cert);
    const leftMs = certificate.validToDate.getTime() - this.clock.now();
    if (leftMs > soonMs) return;
    const msg = leftMs > 0 ? 'a certificate ends soon' : 'a certificate has ended';
    this.log.warn({ msg, file: this.names.certFile, validTo: certificate.validToDate.toISOString() });
  }
}

function text(name: 'cert' | 'key' | 'ca', file: string | null): TlsMaterial {
  return file === null ? {} : { [name]: said(file, () => readFileSync(file, 'utf8')) };
}

/** The file is named whatever is wrong with it, and nothing in it is quoted. */
function said<T>(file: string | null, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new Error(`${file} cannot be used: ${textOf(error)}`, { cause: error });
  }
}
