// Which dead letters are meant, from a query or a body; a range in which there is nothing to do is told, and why.
import { BadRequestException, ConflictException, NotFoundException } from '@nestjs/common';
import type { DeadLetterBox, LetterRange } from '../dispatcher/dead-letters/dead-letter-box.js';
import { optionalWhole } from './query.js';

type Fields = Readonly<Record<string, unknown>>;

export const rangeFields = ['partition', 'from', 'to'];

export function rangeOf(fields: Fields): LetterRange {
  const partition = optionalWhole(fields, 'partition', 0, 1023) ?? null;
  const from = optionalWhole(fields, 'from', 0, Number.MAX_SAFE_INTEGER) ?? 0;
  const to = optionalWhole(fields, 'to', 0, Number.MAX_SAFE_INTEGER) ?? null;
  if (to !== null && to <= from) throw new BadRequestException(`to: found ${to}, allowed: above from (${from})`);
  return { partition, from: BigInt(from), to: to === null ? null : BigInt(to) };
}

/** Who names a range wants letters of it. All there are may be none. */
export function refuseEmpty(box: DeadLetterBox, range: LetterRange): void {
  const { partition, from, to } = range;
  if (partition !== null && partition >= box.partitionCount)
    throw new NotFoundException(`partition: found ${partition}, there are 0 to ${box.partitionCount - 1}`);
  if (partition !== null && !box.owns(partition))
    throw new ConflictException(`partition ${partition} is not this node's, ask the one that has it`);
  if (partition === null && from === 0n && to === null) return;
  const parts = box.partsOf(range);
  if (parts.some(({ open }) => open > 0n)) return;
  const ends = parts.map((part) => `${part.end}${partition === null ? ` in partition ${part.partition}` : ''}`);
  if (from > 0n && parts.every(({ end }) => from >= end))
    throw new NotFoundException(`from: found ${from}, the letters end before ${ends.join(', ')}`);
  throw new NotFoundException(`no letter is left of this range: all were purged or sent again`);
}
