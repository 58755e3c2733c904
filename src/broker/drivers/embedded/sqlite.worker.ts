// The thread that writes: takes requests from the store one by one, and answers each.
import { parentPort, workerData } from 'node:worker_threads';
import { BigpipeError, textOf } from '../../../message/errors.js';
import type { DamagedRange, RetentionRequest, StoreWrite } from './log-store.js';
import { checkDatabase } from './sqlite.check.js';
import {
  unpackPlaces,
  type WriteRequest,
  type WriterCall,
  type WriterCalls,
  type WriterOptions,
  type WriterReply,
  type WriterRequest,
} from './sqlite.protocol.js';
import { SqliteWriter } from './sqlite.writer.js';

const options = workerData as WriterOptions;
let writer: SqliteWriter | undefined;

function answer({ call, request }: WriterRequest): WriterCalls[WriterCall]['result'] {
  if (call === 'check') return checkDatabase(options.directory);
  if (call === 'open') {
    writer ??= new SqliteWriter(options);
    return writer.state();
  }
  if (writer === undefined) {
    if (call === 'close') return null;
    throw new BigpipeError('closed', 'the store is not open');
  }
  if (call !== 'close') writer.mustBeWhole();
  switch (call) {
    case 'ensureTopics':
      return writer.ensureTopics(request as WriterCalls['ensureTopics']['request']);
    case 'write':
      return writer.write(writeOf(request as WriteRequest));
    case 'noteDamage':
      return writer.noteDamage(request as DamagedRange);
    case 'retain':
      return writer.retain(request as RetentionRequest);
    case 'close': {
      const closed = writer.close();
      writer = undefined;
      return closed;
    }
  }
}

function writeOf({ buffer, places, commits }: WriteRequest): StoreWrite {
  return { buffer, chunks: unpackPlaces(places), commits };
}

parentPort?.on('message', (request: WriterRequest) => {
  let reply: WriterReply;
  try {
    reply = { id: request.id, result: answer(request) };
  } catch (error) {
    const code = (error as { code?: unknown }).code;
    const place = error instanceof BigpipeError ? '' : `${options.directory}: `;
    reply = { id: request.id, code: typeof code === 'string' ? code : '', message: `${place}${textOf(error)}` };
  }
  // A write's buffer goes back, so that neither side ever waits for the other's garbage collector.
  parentPort?.postMessage(reply, 'result' in reply && reply.result instanceof ArrayBuffer ? [reply.result] : []);
  if (request.call === 'close') parentPort?.close();
  else writer?.answered();
});
