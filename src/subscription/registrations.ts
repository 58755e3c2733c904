// The subscriptions and endpoints that were registered while bigpipe runs, kept in a topic that every node reads.
import { randomUUID } from 'node:crypto';
import { Injectable, Logger } from '@nestjs/common';
import { Broker } from '../broker/broker.js';
import { SharedLog } from '../broker/shared-log.js';
import type { EndpointSettings } from '../config-watch/settings.js';
import { Clock, type Timer } from '../message/clock.js';
import { BigpipeError, textOf } from '../message/errors.js';
import { subscriptionsTopic } from '../message/side-topic.js';
import type { Lease } from './leases.js';
import {
  type DecidingRecord,
  type Document,
  type Registration,
  type RegistrationRecord,
  RegistrationTable,
} from './registration-table.js';

/** Subscriptions that may be registered, and how long their documents may be together. */
const maxRegistered = 4096;
const maxDocumentBytes = 16 * 1_048_576;
/** How often it is looked whose lease has ended. */
const expiryMs = 250;
/** So many records more than what holds make it worth telling all again. */
const retellAfter = 2000;
/** After a try that did not succeed, so many more. */
const retellAgainAfter = 500;
/** Who does not say on which version he builds is tried on this many. */
const maxTries = 5;

export type Follower = (group: string, what: 'registration' | 'endpoints') => void;

export interface Written {
  readonly version: string;
  readonly isNew: boolean;
}

@Injectable()
export class Registrations {
  private readonly log = new Logger('Subscriptions');
  private readonly records: SharedLog;
  private readonly table: RegistrationTable;
  private readonly waiting = new Map<string, (isValid: boolean) => void>();
  private readonly followers: Follower[] = [];
  private timer: Timer | null = null;
  private recordCount = 0;
  private isRetelling = false;
  private isClosed = false;

  constructor(
    broker: Broker,
    private readonly clock: Clock,
  ) {
    this.table = new RegistrationTable(
      () => clock.now(),
      (group, record, hasEffect) => this.changed(group, record, hasEffect),
    );
    this.records = new SharedLog(broker, subscriptionsTopic, (message) => {
      this.recordCount += 1;
      try {
        this.table.apply(message);
      } catch (error) {
        const msg = 'a record of a registered subscription cannot be read and is passed over';
        this.log.error({ msg, offset: `${message.offset}`, error: textOf(error) });
      }
    });
  }

  /** All that was registered before is known once it resolves. */
  async open(): Promise<void> {
    await this.records.open();
    this.watchLeases();
  }

  async close(): Promise<void> {
    this.isClosed = true;
    this.timer?.cancel();
    await this.records.close();
  }

  /** Told of a group whose registration has changed, or only who has a lease. */
  follow(follower: Follower): void {
    this.followers.push(follower);
  }

  get groups(): ReadonlyMap<string, Registration> {
    return this.table.registered;
  }

  leaseOf(group: string, url: string): Lease | undefined {
    return this.table.leases.of(group, url);
  }

  /** Those that have a lease. */
  endpointsOf(group: string): readonly EndpointSettings[] {
    return this.table.leases.endpointsOf(group);
  }

  /**
   * Resolves once it is durable and in force here. `basedOn`: the version that it builds on, null for none, undefined for
   * whichever; null when that is not the version any more. Rejects as Broker.append does, with `overloaded` past the bounds.
   */
  async put(
    group: string,
    document: Document,
    starts: readonly string[] | null,
    basedOn: string | null | undefined,
  ): Promise<Written | null> {
    const { registered } = this.table;
    if (!registered.has(group) && registered.size >= maxRegistered)
      throw new BigpipeError('overloaded', `${maxRegistered} subscriptions are registered already`);
    if (this.table.documentBytes >= maxDocumentBytes)
      throw new BigpipeError('overloaded', `the registered subscriptions take ${maxDocumentBytes} bytes already`);
    const decided = await this.decide(group, basedOn, (base) => ({
      kind: 'put',
      document,
      // A group that is there goes on where it is.
      starts: base === null ? starts : (registered.get(group)?.starts ?? null),
    }));
    return decided && { version: registered.get(group)?.version ?? '', isNew: decided.base === null };
  }

  /** False when `basedOn` is not the version any more; true also when there was none. */
  async delete(group: string, basedOn: string | undefined): Promise<boolean> {
    if (!this.table.registered.has(group)) return true;
    return (await this.decide(group, basedOn, () => ({ kind: 'delete' }))) !== null;
  }

  /** Why there is no room for one more endpoint; null when there is. */
  noRoomFor(group: string, url: string): string | null {
    return this.table.leases.noRoomFor(group, url);
  }

  /** Resolves once it is durable and in force here; a lease that has ended takes the endpoint out. */
  async lease(group: string, lease: Lease): Promise<void> {
    await this.write({ kind: 'lease', group, ...lease });
  }

  private async decide(
    group: string,
    basedOn: string | null | undefined,
    what: (
      base: string | null,
    ) => Pick<Extract<DecidingRecord, { kind: 'put' }>, 'kind' | 'document' | 'starts'> | { kind: 'delete' },
  ): Promise<{ readonly base: string | null } | null> {
    for (let tries = 0; tries < maxTries; tries += 1) {
      const current = this.table.registered.get(group)?.version ?? null;
      if (basedOn !== undefined && basedOn !== current) return null;
      const id = randomUUID();
      const valid = new Promise<boolean>((resolve) => this.waiting.set(id, resolve));
      try {
        await this.write({ id, group, basedOn: current, ...what(current) });
      } catch (error) {
        this.waiting.delete(id);
        throw error;
      }
      if (await valid) return { base: current };
    }
    return null;
  }

  private async write(record: RegistrationRecord): Promise<void> {
    await this.records.write(bytesOf(record));
    void this.retellIfLong();
  }

  private changed(group: string, record: RegistrationRecord, hasEffect: boolean): void {
    if ('id' in record) {
      this.waiting.get(record.id)?.(hasEffect);
      this.waiting.delete(record.id);
    }
    if (hasEffect) this.tell(group, record.kind === 'lease' ? 'endpoints' : 'registration');
  }

  private tell(group: string, what: Parameters<Follower>[1]): void {
    for (const follower of this.followers) follower(group, what);
  }

  private watchLeases(): void {
    if (this.isClosed) return;
    this.timer = this.clock.setTimer(expiryMs, () => {
      for (const group of this.table.leases.expire(this.clock.now())) {
        this.log.warn({ msg: 'an endpoint has not renewed its lease', group });
        this.tell(group, 'endpoints');
      }
      this.watchLeases();
    });
  }

  /** Never rejects: what fails is tried again behind a later record. */
  private async retellIfLong(): Promise<void> {
    const holding = this.table.registered.size + this.table.leases.size;
    if (this.isRetelling || this.recordCount < retellAfter + 2 * holding) return;
    this.isRetelling = true;
    try {
      const all = this.table.retold();
      const first = all.length === 0 ? this.records.end : await this.records.writeTogether(all.map(bytesOf));
      if (first === null) {
        this.recordCount -= retellAgainAfter;
        return;
      }
      await this.records.write(bytesOf({ kind: 'retold all', first: `${first}` }));
      await this.records.free(first);
      this.recordCount = holding;
    } catch (error) {
      this.recordCount -= retellAgainAfter;
      this.log.warn({ msg: 'the records of registered subscriptions could not be shortened', error: textOf(error) });
    } finally {
      this.isRetelling = false;
    }
  }
}

const bytesOf = (record: RegistrationRecord) => Buffer.from(JSON.stringify(record));
