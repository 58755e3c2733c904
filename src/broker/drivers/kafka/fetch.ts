// Sends a fetch request whose answer is read here: kafkajs would make an object, a text or a number for each part of each record.
import { fetchAnswerOf } from './fetch-answer.js';
import type { FetchAnswer, FetchRequest, KafkaNode } from './kafka-requests.js';
import { withOwnProtocol } from './own-protocol.js';

export function fetch(node: KafkaNode, request: FetchRequest): Promise<FetchAnswer> {
  const reading = withOwnProtocol(node, (protocol) => {
    const { apiVersion } = protocol.request;
    protocol.response = { ...protocol.response, decode: (raw) => fetchAnswerOf(raw, apiVersion) };
  });
  return reading.fetch(request);
}
