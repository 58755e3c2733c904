// Sends a produce request whose bytes are written here; compressed ones are left to kafkajs.
import type { KafkaNode, ProduceAnswer, ProduceRequest } from './kafka-requests.js';
import { withOwnProtocol } from './own-protocol.js';
import { produceBytes } from './produce-bytes.js';

const uncompressed = 0;

export function produce(node: KafkaNode, request: ProduceRequest): Promise<ProduceAnswer> {
  if (request.compression !== uncompressed) return node.produce(request);
  const writing = withOwnProtocol(node, (protocol) => {
    protocol.request.encode = async () => {
      const buffer = produceBytes(request);
      return { buf: buffer, buffer };
    };
  });
  return writing.produce(request);
}
