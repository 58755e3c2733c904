// What a worker sends: one append in one frame.
import type { Acks, Message, MessageHeaders } from '../../../message/message.js';

/*
 * frame    u32 bytes that follow | u32 id | i8 acks | u32 count | messages
 * message  i32 partition, -1 for none | u16 topic bytes | topic | u32 key bytes + 1, 0 for no key | key
 *          | u32 header bytes | headers as JSON | u32 body bytes | body
 * All numbers little-endian.
 */
const frameHead = 4 + 4 + 1 + 4;
const messageHead = 4 + 2 + 4 + 4 + 4;

/** An append with what encoding needs to know before the buffer can be cut. */
export interface AppendToSend {
  readonly id: number;
  readonly acks: Acks;
  readonly messages: readonly Message[];
  readonly headers: readonly string[];
  /** Of the whole frame. */
  readonly size: number;
}

export interface ReceivedAppend {
  readonly id: number;
  readonly acks: Acks;
  readonly messages: readonly Message[];
}

export function appendToSend(id: number, acks: Acks, messages: readonly Message[]): AppendToSend {
  const headers = messages.map((message) => JSON.stringify(message.headers));
  let size = frameHead;
  for (let i = 0; i < messages.length; i += 1) {
    const { topic, key, body } = messages[i] as Message;
    const texts = Buffer.byteLength(topic) + Buffer.byteLength(headers[i] as string);
    size += messageHead + texts + (key?.length ?? 0) + body.length;
  }
  return { id, acks, messages, headers, size };
}

/** Returns the position behind it. */
export function writeAppend(target: Buffer, at: number, append: AppendToSend): number {
  let position = target.writeUInt32LE(append.size - 4, at);
  position = target.writeUInt32LE(append.id, position);
  position = target.writeInt8(append.acks, position);
  position = target.writeUInt32LE(append.messages.length, position);
  append.messages.forEach(({ topic, key, body, partition }, i) => {
    position = target.writeInt32LE(partition ?? -1, position);
    const topicLength = target.write(topic, position + 2);
    position = target.writeUInt16LE(topicLength, position) + topicLength;
    position = target.writeUInt32LE(key === null ? 0 : key.length + 1, position);
    if (key !== null) position += key.copy(target, position);
    const headersLength = target.write(append.headers[i] as string, position + 4);
    position = target.writeUInt32LE(headersLength, position) + headersLength;
    position = target.writeUInt32LE(body.length, position);
    position += body.copy(target, position);
  });
  return position;
}

/** Keys and bodies are views of the frame. */
export function readAppend(frame: Buffer): ReceivedAppend {
  const id = frame.readUInt32LE(0);
  const acks = frame.readInt8(4) as Acks;
  const count = frame.readUInt32LE(5);
  const messages: Message[] = [];
  let position = frameHead - 4;
  for (let i = 0; i < count; i += 1) {
    const partition = frame.readInt32LE(position);
    const topicStart = position + 6;
    const topicEnd = topicStart + frame.readUInt16LE(position + 4);
    const topic = frame.toString('utf8', topicStart, topicEnd);
    const keyStart = topicEnd + 4;
    const keyLength = frame.readUInt32LE(topicEnd);
    const keyEnd = keyLength === 0 ? keyStart : keyStart + keyLength - 1;
    const key = keyLength === 0 ? null : frame.subarray(keyStart, keyEnd);
    const headersEnd = keyEnd + 4 + frame.readUInt32LE(keyEnd);
    const headers = JSON.parse(frame.toString('utf8', keyEnd + 4, headersEnd)) as MessageHeaders;
    position = headersEnd + 4 + frame.readUInt32LE(headersEnd);
    const body = frame.subarray(headersEnd + 4, position);
    messages.push(partition < 0 ? { topic, key, body, headers } : { topic, key, body, headers, partition });
  }
  if (position !== frame.length) throw new Error(`an append of ${frame.length} bytes ends at ${position}`);
  return { id, acks, messages };
}
