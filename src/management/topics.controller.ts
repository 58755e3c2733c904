// GET /topics/TOPIC/messages: what stands in the log, read as it is; no group's mark is touched.
import { BadRequestException, Controller, Get, NotFoundException, Param, Query } from '@nestjs/common';
import { RouteConstraints } from '@nestjs/platform-fastify';
import { Broker } from '../broker/broker.js';
import { ConfigWatch } from '../config-watch/config-watch.js';
import { managementListener } from '../message/listener.js';
import type { StoredMessage } from '../message/message.js';
import { optionalWhole } from './query.js';

const defaultLimit = 100;
const maxLimit = 1000;
/** Of the bodies in one answer; a single larger one is shown alone. */
const maxBytes = 4 * 1_048_576;
const allowedFrom = '"start", "end", or places like "0:17,1:4" (partition:offset)';

type Fields = Readonly<Record<string, unknown>>;

interface ShownMessage {
  readonly partition: number;
  /** Offsets are texts: they may pass what a JSON number holds. */
  readonly offset: string;
  readonly storedAt: string;
  /** As text; what is no UTF-8 is replaced. */
  readonly key: string | null;
  readonly bodyBase64: string;
  readonly headers: Readonly<Record<string, string>>;
}

interface MessagesPage {
  readonly messages: readonly ShownMessage[];
  /** Where to go on, as `from`. */
  readonly next: string;
  readonly isAtEnd: boolean;
}

@Controller('topics')
export class TopicsController {
  constructor(
    private readonly broker: Broker,
    private readonly configWatch: ConfigWatch,
  ) {}

  /** `from`: end (the default), start, or partition:offset of each; partitions that it leaves out are not read. `limit` to 1,000. */
  @Get(':topic/messages')
  @RouteConstraints(managementListener)
  async messages(@Param() { topic }: Fields, @Query() query: Fields): Promise<MessagesPage> {
    const name = String(topic);
    const limit = optionalWhole(query, 'limit', 1, maxLimit) ?? defaultLimit;
    const ends = this.endsOf(name);
    const places = placesOf(query['from'] ?? 'end', ends);
    const messages: ShownMessage[] = [];
    let bytes = 0;
    let isAtEnd = true;
    for (const [partition, place] of places) {
      const batch = await this.broker.fetch({ topic: name, partition }, place);
      let next = batch.nextOffset;
      for (const message of batch.messages) {
        const isFull = messages.length >= limit || (bytes > 0 && bytes + message.body.length > maxBytes);
        if (isFull) {
          next = message.offset;
          break;
        }
        bytes += message.body.length;
        messages.push(shown(message));
      }
      isAtEnd &&= next >= (ends.get(partition) ?? 0n);
      places.set(partition, next);
    }
    return { messages, next: [...places].map(([partition, place]) => `${partition}:${place}`).join(','), isAtEnd };
  }

  /** Partition → the offset behind its last message, as the group of one of its subscriptions knows it. */
  private endsOf(topic: string): Map<number, bigint> {
    const { topics, subscriptions } = this.configWatch.settings;
    if (!topics.some(({ name }) => name === topic))
      throw new NotFoundException(`no topic ${topic}, there are ${topics.map(({ name }) => name).join(', ')}`);
    const group = subscriptions.find((one) => one.topic === topic)?.groupId ?? '';
    return new Map(this.broker.lag(group, topic).map(({ partition, highWatermark }) => [partition, highWatermark]));
  }
}

function placesOf(from: unknown, ends: ReadonlyMap<number, bigint>): Map<number, bigint> {
  if (from === 'end') return new Map(ends);
  if (from === 'start') return new Map([...ends.keys()].map((partition) => [partition, 0n]));
  const places = new Map<number, bigint>();
  for (const text of String(from).split(',')) {
    const [, partition, offset] = /^(\d{1,4}):(\d{1,18})$/.exec(text) ?? [];
    if (partition === undefined || offset === undefined)
      throw new BadRequestException(`from: found ${JSON.stringify(from)}, allowed: ${allowedFrom}`);
    if (!ends.has(Number(partition)))
      throw new BadRequestException(`from: found partition ${partition}, allowed: 0 to ${ends.size - 1}`);
    places.set(Number(partition), BigInt(offset));
  }
  return places;
}

function shown({ partition, offset, timestampMs, key, body, headers }: StoredMessage): ShownMessage {
  return {
    partition,
    offset: `${offset}`,
    storedAt: new Date(timestampMs).toISOString(),
    key: key === null ? null : key.toString('utf8'),
    bodyBase64: body.toString('base64'),
    headers,
  };
}
