// What the records of registered subscriptions come to: the same for everybody who reads them, from whichever record on.
import type { StoredMessage } from '../message/message.js';
import { type Lease, Leases } from './leases.js';

export type Document = Readonly<Record<string, unknown>>;

export interface Registration {
  /** The offset of the record that it stands in, as a text. */
  readonly version: string;
  readonly document: Document;
  /** From where on it reads, by partition; null: as the document says. */
  readonly starts: readonly string[] | null;
}

/** One that decides is valid only on the version that it was made for; of two for the same version the first is. */
export type DecidingRecord = { readonly id: string; readonly group: string; readonly basedOn: string | null } & (
  | { readonly kind: 'put'; readonly document: Document; readonly starts: readonly string[] | null }
  | { readonly kind: 'delete' }
);

/** The last one for an endpoint holds; one that has expired takes it out. */
export interface LeaseRecord extends Lease {
  readonly kind: 'lease';
  readonly group: string;
}

/**
 * So that the log can be freed: all that holds is told again, one record behind the other, and then that it was told from
 * `first` on. Only who begins in the middle of the log goes by them.
 */
type RetoldRecord =
  | ({ readonly kind: 'retold'; readonly group: string } & Registration)
  | { readonly kind: 'retold lease'; readonly lease: LeaseRecord }
  | { readonly kind: 'retold all'; readonly first: string };

export type RegistrationRecord = DecidingRecord | LeaseRecord | RetoldRecord;

export class RegistrationTable {
  readonly registered = new Map<string, Registration>();
  readonly leases = new Leases();
  /** Of the documents, as they stand in the log. */
  documentBytes = 0;
  private readonly bytesOf = new Map<string, number>();
  private begunAt: bigint | null = null;
  /** Who began in the middle knows nothing before all was told again: until then everything is kept. Null for who knows all. */
  private kept: { readonly offset: bigint; readonly record: RegistrationRecord; readonly bytes: number }[] | null =
    null;

  constructor(
    private readonly now: () => number,
    /** `hasEffect`: false for a record that decides and came too late, and for a lease that only lasts longer. */
    private readonly changed: (group: string, record: RegistrationRecord, hasEffect: boolean) => void,
  ) {}

  /** Records in the order of the log, from the oldest that is kept on. Throws for what is no record. */
  apply({ offset, body }: StoredMessage): void {
    const record = JSON.parse(body.toString('utf8')) as RegistrationRecord;
    if (this.begunAt === null) {
      this.begunAt = offset;
      this.kept = offset === 0n ? null : [];
    }
    if (this.kept === null) {
      this.take(offset, record, body.length);
      return;
    }
    this.kept.push({ offset, record, bytes: body.length });
    // Of one that began before us we have not seen all.
    if (record.kind === 'retold all' && BigInt(record.first) >= this.begunAt) this.takeRetold(BigInt(record.first));
  }

  /** All that holds, for a log that begins with it. */
  retold(): RegistrationRecord[] {
    const registered = [...this.registered].map(
      ([group, registration]) => ({ kind: 'retold', group, ...registration }) as const,
    );
    const leases = [...this.leases.all()].map(
      ([group, lease]) => ({ kind: 'retold lease', lease: { kind: 'lease', group, ...lease } }) as const,
    );
    return [...registered, ...leases];
  }

  private takeRetold(first: bigint): void {
    const kept = (this.kept ?? []).filter(({ offset }) => offset >= first);
    this.kept = null;
    for (const { offset, record, bytes } of kept) {
      if (record.kind === 'retold') this.put(record.group, record, bytes);
      else if (record.kind === 'retold lease') this.take(offset, record.lease, bytes);
      else this.take(offset, record, bytes);
    }
    for (const group of this.registered.keys()) this.changed(group, { kind: 'retold all', first: `${first}` }, true);
  }

  private take(offset: bigint, record: RegistrationRecord, bytes: number): void {
    if (record.kind === 'lease') this.takeLease(record);
    else if (record.kind === 'put' || record.kind === 'delete') this.decide(offset, record, bytes);
  }

  private decide(offset: bigint, record: DecidingRecord, bytes: number): void {
    const { group, basedOn } = record;
    const isValid = (this.registered.get(group)?.version ?? null) === basedOn;
    if (isValid && record.kind === 'put') {
      const { document, starts } = record;
      this.put(group, { version: `${offset}`, document, starts }, bytes);
    } else if (isValid) {
      this.documentBytes -= this.bytesOf.get(group) ?? 0;
      this.bytesOf.delete(group);
      this.registered.delete(group);
      this.leases.deleteAll(group);
    }
    this.changed(group, record, isValid);
  }

  private put(group: string, { version, document, starts }: Registration, bytes: number): void {
    this.documentBytes += bytes - (this.bytesOf.get(group) ?? 0);
    this.bytesOf.set(group, bytes);
    this.registered.set(group, { version, document, starts });
  }

  private takeLease(record: LeaseRecord): void {
    const { group, url, weight, warmupMs, expiresMs } = record;
    const hasEffect =
      expiresMs > this.now()
        ? this.leases.put(group, { url, weight, warmupMs, expiresMs })
        : this.leases.delete(group, url);
    this.changed(group, record, hasEffect);
  }
}
