// What whoever fetches messages writes: how many he wants, and which leases he means; or everything that is wrong with it.
import type { Nack } from '../../target/mailbox/lease.js';
import type { PullOrder } from '../../target/mailbox/pull.js';
import { pointerOf } from '../messages/json-form.js';
import type { Fault } from '../messages/problem.js';
import { longestDelayMs } from '../moments.js';
import { waitMsOf } from '../waiting-caller.js';

export const mostMessages = 1000;
export const usualMessages = 10;
export const mostLeases = 1000;
export const longestLeaseS = 43_200;
const shortestLeaseS = 0.1;
const longestReason = 1024;
const longestId = 64;

type Json = Readonly<Record<string, unknown>>;

export function readPull(json: Json, caller: string, faults: Fault[]): PullOrder {
  const reader = new FormReader(json, ['max', 'waitSeconds', 'leaseSeconds'], faults);
  return {
    caller,
    max: reader.wholeNumber('max', mostMessages) ?? usualMessages,
    waitMs: reader.seconds('waitSeconds', waitMsOf, 'seconds from 0 to 3600') ?? 0,
    leaseMs: reader.leaseMs(),
  };
}

export function readAck(json: Json, faults: Fault[]): readonly string[] {
  return new FormReader(json, ['leases'], faults).leases();
}

export function readNack(json: Json, faults: Fault[]): { readonly leases: readonly string[] } & Nack {
  const reader = new FormReader(json, ['leases', 'delaySeconds', 'reject', 'reason'], faults);
  const delayMs = reader.seconds('delaySeconds', delayMsOf, `seconds from 0 to ${longestDelayMs / 1000}`);
  const isRejected = reader.flag('reject');
  if (isRejected && delayMs !== null) reader.fault('delaySeconds', 'allowed: not beside reject');
  const detail = reader.reason() ?? (isRejected ? 'rejected by who fetched it' : 'nacked by who fetched it');
  return { leases: reader.leases(), waitMs: delayMs, isRejected, detail };
}

export function readExtend(
  json: Json,
  faults: Fault[],
): { readonly leases: readonly string[]; readonly leaseMs: number } {
  const reader = new FormReader(json, ['leases', 'leaseSeconds'], faults);
  if (json['leaseSeconds'] === undefined) reader.fault('leaseSeconds', 'it is needed');
  return { leases: reader.leases(), leaseMs: reader.leaseMs() ?? 0 };
}

class FormReader {
  constructor(
    private readonly json: Json,
    fields: readonly string[],
    private readonly faults: Fault[],
  ) {
    for (const name of Object.keys(json)) {
      if (!fields.includes(name)) this.fault(name, 'there is no such field');
    }
  }

  fault(field: string, detail: string): void {
    this.faults.push({ detail, pointer: pointerOf(field) });
  }

  wholeNumber(field: string, most: number): number | null {
    const value = this.json[field];
    if (value === undefined) return null;
    if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= most) return value as number;
    this.fault(field, `allowed: a whole number from 1 to ${most}`);
    return null;
  }

  seconds(field: string, msOf: (seconds: unknown) => number | null, allowed: string): number | null {
    const value = this.json[field];
    if (value === undefined) return null;
    const ms = msOf(value);
    if (ms === null) this.fault(field, `allowed: ${allowed}`);
    return ms;
  }

  leaseMs(): number | null {
    return this.seconds('leaseSeconds', leaseMsOf, `seconds from ${shortestLeaseS} to ${longestLeaseS}`);
  }

  flag(field: string): boolean {
    const { [field]: value = false } = this.json;
    if (typeof value !== 'boolean') this.fault(field, 'allowed: true or false');
    return value === true;
  }

  reason(): string | null {
    const value = this.json['reason'];
    if (value === undefined) return null;
    if (typeof value === 'string' && value !== '' && value.length <= longestReason) return value;
    this.fault('reason', `allowed: a text of 1 to ${longestReason} characters`);
    return null;
  }

  leases(): readonly string[] {
    const value = this.json['leases'];
    const isId = (one: unknown) => typeof one === 'string' && one.length >= 1 && one.length <= longestId;
    if (Array.isArray(value) && value.length >= 1 && value.length <= mostLeases && value.every(isId)) return value;
    this.fault('leases', `allowed: a list of 1 to ${mostLeases} leases, each as it was told`);
    return [];
  }
}

const inBounds = (value: unknown, least: number, most: number) =>
  typeof value === 'number' && value >= least && value <= most;

function leaseMsOf(seconds: unknown): number | null {
  return inBounds(seconds, shortestLeaseS, longestLeaseS) ? Math.ceil((seconds as number) * 1000) : null;
}

function delayMsOf(seconds: unknown): number | null {
  return inBounds(seconds, 0, longestDelayMs / 1000) ? Math.ceil((seconds as number) * 1000) : null;
}
