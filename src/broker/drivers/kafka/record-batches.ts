// Batches of records as Kafka keeps them: read in one pass, with one copy of a batch's bytes.
import { createRequire } from 'node:module';
import { crc32c } from '@node-rs/crc32';
import kafkajs from 'kafkajs';
import { textOf } from '../../../message/errors.js';
import { keyHeader } from './go-form.js';
import type { FetchedBatch, FetchedRecord } from './kafka-requests.js';

/** Before a batch's records: first offset, length, epoch, magic, checksum, attributes and so on. */
const headBytes = 61;
/** Behind these stands what the length counts. */
const beforeLengthEnd = 12;
const magicAt = 16;
const magic = 2;
/** Of all that stands behind it. */
const checksumAt = 17;
const codecMask = 0x07;
const isLogAppendTime = 0x08;
const isTransactional = 0x10;
const isControl = 0x20;

/** As kafkajs reads what was written before Kafka 0.11. */
interface OldMessage {
  readonly offset: string;
  readonly timestamp?: string;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

interface Decoder {
  readonly offset: number;
}

/** Those of kafka-link.ts among them. */
const codecs: Readonly<Record<number, (() => { decompress(bytes: Buffer): Promise<Buffer> }) | undefined>> =
  kafkajs.CompressionCodecs;

const require = createRequire(import.meta.url);
const KafkaDecoder = require('kafkajs/src/protocol/decoder') as new (bytes: Buffer) => Decoder;
const decodeOld = require('kafkajs/src/protocol/messageSet/decoder') as (
  decoder: Decoder,
  size: number,
) => Promise<readonly OldMessage[]>;

const fault = (what: string) => new Error(`a batch of Kafka cannot be read: ${what}`);
const wrongLengths = 'its records are not as long as they say';

export interface ReadBatches {
  readonly batches: readonly FetchedBatch[];
  /** Why the one behind them cannot be read. */
  readonly fault: Error | null;
}

/** Up to the first that is damaged, and without the last one where it is cut off, as Kafka may do. */
export async function readBatches(bytes: Buffer): Promise<ReadBatches> {
  const batches: FetchedBatch[] = [];
  try {
    await readInto(batches, bytes);
    return { batches, fault: null };
  } catch (error) {
    return { batches, fault: error instanceof Error ? error : new Error(textOf(error)) };
  }
}

async function readInto(batches: FetchedBatch[], bytes: Buffer): Promise<void> {
  for (let at = 0; at + magicAt < bytes.length; ) {
    const end = at + beforeLengthEnd + bytes.readInt32BE(at + 8);
    if (bytes[at + magicAt] !== magic) {
      // Older messages, all that follow; a batch behind them is the next fetch's first.
      batches.push(...(await oldBatches(bytes.subarray(at))));
      break;
    }
    if (end < at + headBytes) throw fault(wrongLengths);
    if (end > bytes.length) break;
    batches.push(await readBatch(bytes.subarray(at, end)));
    at = end;
  }
}

async function readBatch(bytes: Buffer): Promise<FetchedBatch> {
  // Kafka looks at it when a batch is written, and hands on what its disk gives back.
  if (bytes.readUInt32BE(checksumAt) !== crc32c(bytes.subarray(checksumAt + 4))) throw fault('its checksum is wrong');
  const firstOffset = bytes.readBigInt64BE(0);
  const attributes = bytes.readInt16BE(21);
  const codec = codecs[attributes & codecMask];
  const packed = bytes.subarray(headBytes);
  // A copy: they are a part of the fetch's answer, all of which they would keep in memory.
  const records = codec === undefined ? Buffer.from(packed) : await codec().decompress(packed);
  const reader = new RecordReader(records, {
    firstOffset,
    firstMs: Number(bytes.readBigInt64BE(27)),
    allMs: (attributes & isLogAppendTime) === 0 ? null : Number(bytes.readBigInt64BE(35)),
  });
  return {
    firstOffset,
    endOffset: firstOffset + BigInt(bytes.readInt32BE(23)) + 1n,
    producerId: bytes.readBigInt64BE(43),
    isTransactional: (attributes & isTransactional) !== 0,
    isControl: (attributes & isControl) !== 0,
    records: reader.records(bytes.readInt32BE(57)),
  };
}

async function oldBatches(bytes: Buffer): Promise<FetchedBatch[]> {
  const messages = await decodeOld(new KafkaDecoder(Buffer.from(bytes)), bytes.length);
  return messages.map(({ offset, timestamp = '-1', key, value }) => {
    const firstOffset = BigInt(offset);
    const record = { offset: firstOffset, timestampMs: Number(timestamp), key, value, headers: {}, rawKey: null };
    const endOffset = firstOffset + 1n;
    return {
      firstOffset,
      endOffset,
      producerId: -1n,
      isTransactional: false,
      isControl: false,
      records: [record],
    };
  });
}

/** Names of headers at their place in a record: mostly those of the record before, which need not be made to text again. */
const names: string[] = [];
const maxNames = 32;

interface BatchTimes {
  readonly firstOffset: bigint;
  readonly firstMs: number;
  /** Of all records, when Kafka has stamped them; else each has its own. */
  readonly allMs: number | null;
}

class RecordReader {
  private at = 0;

  constructor(
    private readonly bytes: Buffer,
    private readonly times: BatchTimes,
  ) {}

  records(count: number): FetchedRecord[] {
    const records: FetchedRecord[] = [];
    for (let i = 0; i < count; i += 1) records.push(this.record());
    return records;
  }

  private record(): FetchedRecord {
    const { bytes, times } = this;
    const size = this.varint();
    const end = this.at + size;
    if (!(size > 0 && end <= bytes.length)) throw fault(wrongLengths);
    // Attributes, of which there are none yet.
    this.at += 1;
    const ms = this.varint();
    const offset = times.firstOffset + BigInt(this.varint());
    const key = this.part();
    const value = this.part();
    const headers: Record<string, string> = {};
    let rawKey: Buffer | null = null;
    const count = this.varint();
    for (let i = 0; i < count && this.at < end; i += 1) {
      const name = this.name(i);
      const start = this.at;
      headers[name] = this.text();
      if (name !== keyHeader) continue;
      const last = this.at;
      this.at = start;
      rawKey = this.part();
      this.at = last;
    }
    if (this.at !== end) throw fault(wrongLengths);
    return { offset, timestampMs: times.allMs ?? times.firstMs + ms, key, value, headers, rawKey };
  }

  /** Of -1 bytes: null. */
  private part(): Buffer | null {
    const length = this.varint();
    if (length < 0) return null;
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  private text(): string {
    const length = Math.max(0, this.varint());
    this.at += length;
    return this.bytes.toString('utf8', this.at - length, this.at);
  }

  private name(place: number): string {
    const { bytes, at } = this;
    const known = names[place];
    // One byte says how long it is: twice as much as a length below 64.
    if (known !== undefined && bytes[at] === 2 * known.length && isAt(bytes, at + 1, known)) {
      this.at = at + 1 + known.length;
      return known;
    }
    const name = this.text();
    if (place < maxNames && name.length < 64 && Buffer.byteLength(name) === name.length) names[place] = name;
    return name;
  }

  private varint(): number {
    const { bytes } = this;
    let byte = bytes[this.at] as number;
    this.at += 1;
    if (byte < 128) return (byte >>> 1) ^ -(byte & 1);
    let value = byte - 128;
    let scale = 128;
    do {
      byte = bytes[this.at] as number;
      this.at += 1;
      value += (byte & 127) * scale;
      scale *= 128;
    } while (byte >= 128);
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
}

function isAt(bytes: Buffer, at: number, name: string): boolean {
  for (let i = 0; i < name.length; i += 1) if (bytes[at + i] !== name.charCodeAt(i)) return false;
  return true;
}
