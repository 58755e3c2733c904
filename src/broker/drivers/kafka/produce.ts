// Sends a produce request whose bytes are written here; compressed ones are left to kafkajs.
import type { KafkaNode, ProduceAnswer, ProduceRequest } from './kafka-requests.js';
import { produceBytes } from './produce-bytes.js';

const uncompressed = 0;

/** As much of kafkajs' encoder as it looks at. */
interface Encoded {
  readonly buf: Buffer;
  readonly buffer: Buffer;
}

interface Protocol {
  readonly request: { encode: () => Promise<Encoded> };
}

type MakeProtocol = (parts: ProduceRequest) => Protocol;

/** What a node of kafkajs asks for the version of a request that Kafka and it both know. */
interface VersionedNode extends KafkaNode {
  lookupRequest(apiKey: number, versions: unknown): MakeProtocol;
}

export function produce(node: KafkaNode, request: ProduceRequest): Promise<ProduceAnswer> {
  if (request.compression !== uncompressed) return node.produce(request);
  const { lookupRequest } = node as VersionedNode;
  // The node itself in everything else: how it connects, sends, reads answers and fails.
  const writing = Object.create(node, {
    lookupRequest: {
      value: (apiKey: number, versions: unknown): MakeProtocol => {
        const protocolOf = lookupRequest(apiKey, versions);
        return (parts) => {
          const protocol = protocolOf(parts);
          protocol.request.encode = async () => {
            const buffer = produceBytes(request);
            return { buf: buffer, buffer };
          };
          return protocol;
        };
      },
    },
  }) as KafkaNode;
  return writing.produce(request);
}
