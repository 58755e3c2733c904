// A node of kafkajs that speaks one request in words of our own: bytes written, or an answer read, without kafkajs.
import type { KafkaNode } from './kafka-requests.js';

/** As much of a request of kafkajs as it looks at. */
export interface Protocol {
  readonly request: {
    readonly apiVersion: number;
    /** kafkajs takes both for one that grew. */
    encode: () => Promise<{ readonly buf: Buffer; readonly buffer: Buffer }>;
  };
  response: {
    readonly decode: (raw: Buffer) => Promise<unknown>;
    /** Rejects with the first error that the answer names. */
    readonly parse: (decoded: never) => Promise<unknown>;
  };
}

type MakeProtocol = (parts: unknown) => Protocol;

/** What a node asks for the version of a request that Kafka and kafkajs both know. */
interface VersionedNode extends KafkaNode {
  lookupRequest(apiKey: number, versions: unknown): MakeProtocol;
}

/** For one request: the node itself in everything else, how it connects, sends, waits and fails. */
export function withOwnProtocol(node: KafkaNode, adapt: (protocol: Protocol) => void): KafkaNode {
  const versioned = node as VersionedNode;
  return Object.create(node, {
    lookupRequest: {
      value: (apiKey: number, versions: unknown): MakeProtocol => {
        const protocolOf = versioned.lookupRequest(apiKey, versions);
        return (parts) => {
          const protocol = protocolOf(parts);
          adapt(protocol);
          return protocol;
        };
      },
    },
  }) as KafkaNode;
}
