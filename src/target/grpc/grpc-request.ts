// The request that a receiver gets for a delivery over gRPC: the message's body is the bytes of the method's request.
import type { OutgoingHttpHeaders } from 'node:http2';
import { schemeOf } from '../../message/call-url.js';
import type { Delivery } from '../../message/delivery.js';
import { headersOf } from '../http/http-request.js';

/** What metadata may be called; what begins with grpc- is the protocol's own. */
const metadataName = /^(?!grpc-)[0-9a-z_.-]+$/;

/** The same facts of the delivery as over HTTP, as metadata. `nowMs` unix. */
export function grpcHeadersOf(delivery: Delivery, nowMs: number): OutgoingHttpHeaders {
  const { url, settings } = delivery;
  const told = headersOf(delivery, nowMs);
  const metadata: OutgoingHttpHeaders = {};
  for (let i = 0; i + 1 < told.length; i += 2) {
    const [name, value] = [told[i] as string, told[i + 1] as string];
    if (metadataName.test(name)) metadata[name] = value;
  }
  const contentType = String(metadata['content-type']);
  return {
    ':method': 'POST',
    ':scheme': schemeOf(url.origin) === 'grpcs' ? 'https' : 'http',
    ':authority': url.origin.slice(url.origin.indexOf('//') + 2),
    ':path': url.path,
    ...metadata,
    'content-type': contentType.startsWith('application/grpc') ? contentType : 'application/grpc',
    te: 'trailers',
    'grpc-accept-encoding': 'identity',
    'grpc-timeout': `${settings.timeoutMs}m`,
  };
}

/** One message that is not compressed, as it stands on the wire: a flag, its length, its bytes. */
export function frameHeadOf(body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length, 1);
  return head;
}

/** The bytes of the one message that an answer is; null for what is not exactly one, or compressed. */
export function messageIn(frames: Buffer): Buffer | null {
  if (frames.length < 5 || frames[0] !== 0 || frames.readUInt32BE(1) !== frames.length - 5) return null;
  return frames.subarray(5);
}
