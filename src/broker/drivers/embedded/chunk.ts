// The bytes of one stored chunk: the messages that one commit added to one partition, under one checksum.
import { crc32c } from '@node-rs/crc32';
import type { Message, MessageHeaders, StoredMessage } from '../../../message/message.js';

/*
 * chunk   u32 crc32c of all that follows | u32 count | u64 offset of the first | records
 * record  u32 bytes that follow | u48 timestamp ms | u32 key bytes + 1, 0 for no key | key
 *         | u32 header bytes | headers as JSON | body
 * All numbers little-endian.
 */
const chunkHead = 16;
const recordHead = 4 + 6 + 4 + 4;

/** A message with what encoding needs to know before the buffer can be cut. */
export interface EncodableMessage {
  readonly message: Message;
  readonly headersText: string;
  /** Bytes of the record with its length field. */
  readonly size: number;
}

export function encodable(message: Message): EncodableMessage {
  const headersText = JSON.stringify(message.headers);
  const size = recordHead + (message.key?.length ?? 0) + Buffer.byteLength(headersText) + message.body.length;
  return { message, headersText, size };
}

export function chunkSize(records: readonly EncodableMessage[]): number {
  let size = chunkHead;
  for (const record of records) size += record.size;
  return size;
}

/** Writes a chunk without its checksum, which sealChunk adds; returns the position behind it. */
export function writeChunk(
  target: Buffer,
  at: number,
  base: number,
  timestampMs: number,
  records: readonly EncodableMessage[],
): number {
  let position = target.writeUInt32LE(records.length, at + 4);
  position = target.writeBigUInt64LE(BigInt(base), position);
  for (const { message, headersText, size } of records) {
    position = target.writeUInt32LE(size - 4, position);
    position = target.writeUIntLE(timestampMs, position, 6);
    const { key } = message;
    position = target.writeUInt32LE(key === null ? 0 : key.length + 1, position);
    if (key !== null) position += key.copy(target, position);
    const headersLength = target.write(headersText, position + 4);
    position = target.writeUInt32LE(headersLength, position) + headersLength;
    position += message.body.copy(target, position);
  }
  return position;
}

/** Puts the checksum into a written chunk. Done by the writer's thread, off the thread that serves callers. */
export function sealChunk(chunk: Buffer): void {
  chunk.writeUInt32LE(crc32c(chunk.subarray(4)), 0);
}

/** Thrown for bytes that are not the chunk that was written. */
export class ChunkDamage extends Error {
  override readonly name = 'ChunkDamage';
}

/** Throws ChunkDamage unless the checksum and the place in the log are right. */
export function verifyChunk(chunk: Buffer, base: number): void {
  if (chunk.length < chunkHead) throw new ChunkDamage(`is ${chunk.length} bytes short`);
  if (chunk.readUInt32LE(0) !== crc32c(chunk.subarray(4))) throw new ChunkDamage('does not match its checksum');
  const written = chunk.readBigUInt64LE(8);
  if (written !== BigInt(base)) throw new ChunkDamage(`was written for offset ${written}`);
}

/** The chunk's messages, from `from` on; bodies and keys are views of the chunk's own bytes. */
export function decodeChunk(
  chunk: Buffer,
  place: { readonly topic: string; readonly partition: number; readonly base: number },
  from: number,
): StoredMessage[] {
  verifyChunk(chunk, place.base);
  const count = chunk.readUInt32LE(4);
  const messages: StoredMessage[] = [];
  let position = chunkHead;
  for (let i = 0; i < count; i += 1) {
    const end = position + 4 + chunk.readUInt32LE(position);
    if (place.base + i >= from) messages.push(decodeRecord(chunk, position + 4, end, place, place.base + i));
    position = end;
  }
  return messages;
}

function decodeRecord(
  chunk: Buffer,
  at: number,
  end: number,
  place: { readonly topic: string; readonly partition: number },
  offset: number,
): StoredMessage {
  const timestampMs = chunk.readUIntLE(at, 6);
  const keyLength = chunk.readUInt32LE(at + 6);
  let position = at + 10;
  let key: Buffer | null = null;
  if (keyLength > 0) {
    key = chunk.subarray(position, position + keyLength - 1);
    position += keyLength - 1;
  }
  const headersLength = chunk.readUInt32LE(position);
  position += 4;
  const headersText = chunk.toString('utf8', position, position + headersLength);
  position += headersLength;
  return {
    topic: place.topic,
    partition: place.partition,
    offset: BigInt(offset),
    timestampMs,
    key,
    headers: JSON.parse(headersText) as MessageHeaders,
    body: chunk.subarray(position, end),
  };
}
