// The bytes of a produce request, in one pass into one buffer: those that kafkajs would write with a buffer for each record.
import { crc32c } from '@node-rs/crc32';
import type { ProduceRecord, ProduceRequest } from './kafka-requests.js';

const magic = 2;
/** Of a batch, before its records. */
const batchHeadBytes = 61;
/** Of a batch, before what its length counts, and before what its checksum covers. */
const beforeLengthEnd = 12;
const beforeChecksumEnd = 21;
const noProducer = -1n;

type PartitionData = ProduceRequest['topicData'][number]['partitions'][number];

interface Header {
  readonly name: string;
  readonly nameBytes: number;
  readonly value: string | Buffer;
  readonly valueBytes: number;
}

/** A record with everything measured. */
interface Measured {
  readonly record: ProduceRecord;
  readonly headers: readonly Header[];
  readonly delta: number;
  /** Behind its own length. */
  readonly bytes: number;
}

interface Batch {
  readonly data: PartitionData;
  readonly records: readonly Measured[];
  readonly firstMs: number;
  readonly lastMs: number;
  readonly bytes: number;
}

/** Versions 3 to 7 of the request, uncompressed, outside of transactions. */
export function produceBytes({ acks, timeout, producerId, producerEpoch, topicData }: ProduceRequest): Buffer {
  const topics = topicData.map(({ topic, partitions }) => ({ topic, batches: partitions.map(measuredBatch) }));
  const size = topics.reduce(
    (sum, { topic, batches }) =>
      sum + 2 + Buffer.byteLength(topic) + 4 + batches.reduce((own, { bytes }) => own + 8 + bytes, 0),
    12,
  );
  const writer = new Writer(Buffer.allocUnsafe(size));
  writer.int16(-1);
  writer.int16(acks);
  writer.int32(timeout);
  writer.int32(topics.length);
  const producer = {
    id: producerId === undefined ? noProducer : BigInt(String(producerId)),
    epoch: producerEpoch ?? 0,
  };
  for (const { topic, batches } of topics) {
    writer.int16(Buffer.byteLength(topic));
    writer.text(topic);
    writer.int32(batches.length);
    for (const batch of batches) writeBatch(writer, batch, producer);
  }
  return writer.buffer;
}

function measuredBatch(data: PartitionData): Batch {
  let firstMs = Number.POSITIVE_INFINITY;
  let lastMs = Number.NEGATIVE_INFINITY;
  for (const { timestamp } of data.messages) {
    firstMs = Math.min(firstMs, timestamp);
    lastMs = Math.max(lastMs, timestamp);
  }
  let bytes = batchHeadBytes;
  const records = data.messages.map((record, i) => {
    const measured = measuredRecord(record, i, record.timestamp - firstMs);
    bytes += varintBytes(measured.bytes) + measured.bytes;
    return measured;
  });
  return { data, records, firstMs, lastMs, bytes };
}

function measuredRecord(record: ProduceRecord, index: number, delta: number): Measured {
  const headers: Header[] = [];
  const { key, value } = record;
  let bytes = 1 + varintBytes(delta) + varintBytes(index) + sizedBytes(key?.length ?? -1) + sizedBytes(value.length);
  for (const name of Object.keys(record.headers)) {
    const header = record.headers[name] as string | Buffer;
    const nameBytes = Buffer.byteLength(name);
    const valueBytes = Buffer.byteLength(header);
    bytes += sizedBytes(nameBytes) + sizedBytes(valueBytes);
    headers.push({ name, nameBytes, value: header, valueBytes });
  }
  bytes += varintBytes(headers.length);
  return { record, headers, delta, bytes };
}

function writeBatch(
  writer: Writer,
  { data, records, firstMs, lastMs, bytes }: Batch,
  producer: { readonly id: bigint; readonly epoch: number },
): void {
  writer.int32(data.partition);
  writer.int32(bytes);
  const start = writer.at;
  writer.int64(0n);
  writer.int32(bytes - beforeLengthEnd);
  writer.int32(0);
  writer.int8(magic);
  // The checksum's place.
  writer.int32(0);
  writer.int16(0);
  writer.int32(records.length - 1);
  writer.int64(BigInt(firstMs));
  writer.int64(BigInt(lastMs));
  writer.int64(producer.id);
  writer.int16(producer.epoch);
  writer.int32(data.firstSequence);
  writer.int32(records.length);
  records.forEach((measured, i) => {
    writeRecord(writer, measured, i);
  });
  const checksum = crc32c(writer.buffer.subarray(start + beforeChecksumEnd, writer.at));
  writer.buffer.writeUInt32BE(checksum, start + beforeChecksumEnd - 4);
}

function writeRecord(writer: Writer, { record, headers, delta, bytes }: Measured, index: number): void {
  writer.varint(bytes);
  writer.int8(0);
  writer.varint(delta);
  writer.varint(index);
  if (record.key === null) writer.varint(-1);
  else writer.sized(record.key, record.key.length);
  writer.sized(record.value, record.value.length);
  writer.varint(headers.length);
  for (const { name, nameBytes, value, valueBytes } of headers) {
    writer.sized(name, nameBytes);
    writer.sized(value, valueBytes);
  }
}

/** Of a length and what follows it; -1 for nothing. */
const sizedBytes = (length: number) => varintBytes(length) + Math.max(0, length);

/** Numbers above -2 and below 2^52; of the negative ones only -1 is used. */
const zigzag = (value: number) => (value < 0 ? -2 * value - 1 : 2 * value);

function varintBytes(value: number): number {
  let rest = zigzag(value);
  let bytes = 1;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes += 1;
  return bytes;
}

class Writer {
  at = 0;

  constructor(readonly buffer: Buffer) {}

  int8(value: number): void {
    this.at = this.buffer.writeInt8(value, this.at);
  }

  int16(value: number): void {
    this.at = this.buffer.writeInt16BE(value, this.at);
  }

  int32(value: number): void {
    this.at = this.buffer.writeInt32BE(value, this.at);
  }

  int64(value: bigint): void {
    this.at = this.buffer.writeBigInt64BE(value, this.at);
  }

  varint(value: number): void {
    let rest = zigzag(value);
    for (; rest >= 128; rest = Math.floor(rest / 128)) {
      this.buffer[this.at] = (rest % 128) + 128;
      this.at += 1;
    }
    this.buffer[this.at] = rest;
    this.at += 1;
  }

  text(value: string): void {
    this.at += this.buffer.write(value, this.at, 'utf8');
  }

  sized(value: string | Buffer, bytes: number): void {
    this.varint(bytes);
    if (typeof value === 'string') this.text(value);
    else this.at += value.copy(this.buffer, this.at);
  }
}
