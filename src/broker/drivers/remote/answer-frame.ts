// What the main process answers: the appends that one write has stored, or one that was refused.
import { BigpipeError, type ErrorCode, errorCodes } from '../../../message/errors.js';
import type { Position } from '../../../message/message.js';

/*
 * frame    u32 bytes that follow | u8 kind | content
 * stored   u32 count | for each append: u32 id | u32 messages | for each: u32 partition, none at acks 0 | u64 offset
 * refused  u32 id | u8 bytes of the code | code | text to the end
 * All numbers little-endian.
 */
const stored = 1;
const refused = 2;
const none = 0xffff_ffff;
const frameHead = 4 + 1;
const placeBytes = 4 + 8;

/** Where a message stands in its topic, which the asker knows; null at acks 0. */
export type Place = Pick<Position, 'partition' | 'offset'> | null;

export interface StoredAppend {
  readonly id: number;
  readonly places: readonly Place[];
}

export interface RefusedAppend {
  readonly id: number;
  readonly error: BigpipeError;
}

export function storedFrame(appends: readonly StoredAppend[]): Buffer {
  let size = frameHead + 4;
  for (const { places } of appends) size += 8 + places.length * placeBytes;
  const frame = Buffer.allocUnsafe(size);
  let position = frame.writeUInt32LE(size - 4, 0);
  position = frame.writeUInt8(stored, position);
  position = frame.writeUInt32LE(appends.length, position);
  for (const { id, places } of appends) {
    position = frame.writeUInt32LE(id, position);
    position = frame.writeUInt32LE(places.length, position);
    for (const place of places) {
      position = frame.writeUInt32LE(place?.partition ?? none, position);
      position = frame.writeBigUInt64LE(place?.offset ?? 0n, position);
    }
  }
  return frame;
}

export function refusedFrame({ id, error }: RefusedAppend): Buffer {
  const code = Buffer.from(error.code);
  const text = Buffer.from(error.message);
  const size = frameHead + 4 + 1 + code.length + text.length;
  const frame = Buffer.allocUnsafe(size);
  let position = frame.writeUInt32LE(size - 4, 0);
  position = frame.writeUInt8(refused, position);
  position = frame.writeUInt32LE(id, position);
  position = frame.writeUInt8(code.length, position);
  position += code.copy(frame, position);
  text.copy(frame, position);
  return frame;
}

/** Throws for what is no answer. */
export function readAnswer(frame: Buffer): readonly StoredAppend[] | RefusedAppend {
  const kind = frame.readUInt8(0);
  if (kind === stored) return readStored(frame);
  if (kind === refused) return readRefused(frame);
  throw new Error(`an answer of kind ${kind}`);
}

function readStored(frame: Buffer): readonly StoredAppend[] {
  const count = frame.readUInt32LE(1);
  const appends: StoredAppend[] = [];
  let position = 5;
  for (let i = 0; i < count; i += 1) {
    const id = frame.readUInt32LE(position);
    const messages = frame.readUInt32LE(position + 4);
    position += 8;
    const places: Place[] = [];
    for (let n = 0; n < messages; n += 1) {
      const partition = frame.readUInt32LE(position);
      places.push(partition === none ? null : { partition, offset: frame.readBigUInt64LE(position + 4) });
      position += placeBytes;
    }
    appends.push({ id, places });
  }
  return appends;
}

function readRefused(frame: Buffer): RefusedAppend {
  const codeEnd = 6 + frame.readUInt8(5);
  const code = frame.toString('utf8', 6, codeEnd);
  if (!errorCodes.includes(code as ErrorCode)) throw new Error(`a refusal with the code ${code}`);
  const error = new BigpipeError(code as ErrorCode, frame.toString('utf8', codeEnd));
  return { id: frame.readUInt32LE(1), error };
}
