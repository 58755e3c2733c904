// POST /subscriptions/TOPIC/GROUP/offsets: from where a subscription goes on; /replay: what comes to it once more.
import {
  BadRequestException,
  Body,
  ConflictException,
  Controller,
  HttpCode,
  NotFoundException,
  Param,
  Post,
} from '@nestjs/common';
import { RouteConstraints } from '@nestjs/platform-fastify';
import { Broker } from '../broker/broker.js';
import { Dispatcher } from '../dispatcher/dispatcher.js';
import { managementListener } from '../message/listener.js';
import { MessageFinder } from '../tracking/message-finder.js';
import { optionalWhole } from './query.js';

type Fields = Readonly<Record<string, unknown>>;

interface MovedMark {
  readonly partition: number;
  /** Offsets as texts: they may pass what a JSON number holds. */
  readonly from: string;
  readonly to: string;
}

@Controller('subscriptions')
export class OffsetsController {
  constructor(
    private readonly dispatcher: Dispatcher,
    private readonly broker: Broker,
    private readonly finder: MessageFinder,
  ) {}

  /**
   * `to`: "earliest", "latest", an offset, or a time; `partition`: only that one. The subscription is drained, its marks are
   * moved, and it goes on. What waits in its overflow, delay topics and dead letters stays. Of the partitions that are served here.
   */
  @Post(':topic/:groupId/offsets')
  @HttpCode(200)
  @RouteConstraints(managementListener)
  async reset(@Param() place: Fields, @Body() body: unknown): Promise<{ partitions: MovedMark[] }> {
    const [topic, groupId] = [String(place['topic']), String(place['groupId'])];
    const fields = typeof body === 'object' && body !== null ? (body as Fields) : {};
    const only = optionalWhole(fields, 'partition', 0, 1023) ?? null;
    if (this.dispatcher.subscription(topic, groupId) === null)
      throw new NotFoundException(`no subscription of the topic ${topic} with the group ${groupId}`);
    const rows = this.broker.lag(groupId, topic).filter(({ partition }) => only === null || only === partition);
    if (rows.length === 0) throw new NotFoundException(`the topic ${topic} has no partition ${only}`);
    const marks = new Map<number, bigint>();
    for (const { partition, highWatermark } of rows) {
      marks.set(partition, await this.offsetOf({ topic, partition }, highWatermark, fields['to']));
    }
    const moved = await this.dispatcher.moveMarks(topic, groupId, marks);
    if (moved === null) throw new ConflictException('the subscription is being changed, or bigpipe is draining');
    const partitions = rows
      .filter(({ partition }) => moved.has(partition))
      .map(({ partition, committed }) => ({
        partition,
        from: `${committed ?? 'none'}`,
        to: `${marks.get(partition)}`,
      }));
    return { partitions };
  }

  /** `partition`, `from` and `to` (offsets or times; without `to`, up to its mark): what was settled there comes again, to this group alone. */
  @Post(':topic/:groupId/replay')
  @HttpCode(200)
  @RouteConstraints(managementListener)
  async replay(
    @Param() place: Fields,
    @Body() body: unknown,
  ): Promise<{ partition: number; from: string; to: string }> {
    const [topic, groupId] = [String(place['topic']), String(place['groupId'])];
    const fields = typeof body === 'object' && body !== null ? (body as Fields) : {};
    const partition = optionalWhole(fields, 'partition', 0, 1023) ?? 0;
    if (this.dispatcher.subscription(topic, groupId) === null)
      throw new NotFoundException(`no subscription of the topic ${topic} with the group ${groupId}`);
    const row = this.broker.lag(groupId, topic).find((one) => one.partition === partition);
    if (row === undefined) throw new NotFoundException(`the topic ${topic} has no partition ${partition}`);
    const at = { topic, partition };
    const from = await this.offsetOf(at, row.highWatermark, fields['from'], 'from');
    const to = fields['to'] === undefined ? null : await this.offsetOf(at, row.highWatermark, fields['to']);
    const done = await this.dispatcher.replay(topic, groupId, { partition, from, to });
    if (typeof done === 'string') throw new ConflictException(done);
    return { partition, from: `${done.from}`, to: `${done.to}` };
  }

  private async offsetOf(
    at: { topic: string; partition: number },
    end: bigint,
    to: unknown,
    name = 'to',
  ): Promise<bigint> {
    if (to === 'latest') return end;
    if (to === 'earliest') return this.finder.firstStoredFrom(at, end, 0);
    const text = typeof to === 'number' ? String(to) : to;
    if (typeof text === 'string' && /^\d{1,15}$/.test(text)) {
      if (BigInt(text) <= end) return BigInt(text);
      throw new BadRequestException(`${name}: found ${text}, allowed: at most ${end} in partition ${at.partition}`);
    }
    const unixMs = typeof text === 'string' ? Date.parse(text) : Number.NaN;
    if (!Number.isNaN(unixMs)) return this.finder.firstStoredFrom(at, end, unixMs);
    const allowed = '"earliest", "latest", an offset, or a time like "2026-11-21T14:00:00Z"';
    throw new BadRequestException(`${name}: found ${JSON.stringify(to) ?? 'nothing'}, allowed: ${allowed}`);
  }
}
