// /subscriptions: what is delivered here, and pausing it.
import { BadRequestException, Controller, Get, HttpCode, NotFoundException, Param, Post, Query } from '@nestjs/common';
import { RouteConstraints } from '@nestjs/platform-fastify';
import { originOf } from '../config-watch/origin.js';
import { ControlLog } from '../dispatcher/control-log.js';
import { Dispatcher } from '../dispatcher/dispatcher.js';
import { parseCallUrl } from '../message/call-url.js';
import { managementListener } from '../message/listener.js';

type Fields = Readonly<Record<string, unknown>>;

interface PauseRow {
  /** Null: the whole subscription. */
  readonly destination: string | null;
  readonly since: string;
}

interface SubscriptionRow {
  readonly topic: string;
  readonly groupId: string;
  readonly paused: readonly PauseRow[];
  readonly backlog: Readonly<Record<string, number>>;
}

@Controller('subscriptions')
export class SubscriptionsController {
  constructor(
    private readonly dispatcher: Dispatcher,
    private readonly controlLog: ControlLog,
  ) {}

  @Get()
  @RouteConstraints(managementListener)
  list(): SubscriptionRow[] {
    return this.dispatcher.subscriptions.map((runner) => {
      const { topic, groupId } = runner.subscription;
      return { topic, groupId, paused: this.pausedOf(topic, groupId), backlog: runner.view.backlog() };
    });
  }

  /** `?destination=` pauses one destination: an origin, or the name it has in the configuration. */
  @Post(':topic/:groupId/pause')
  @HttpCode(200)
  @RouteConstraints(managementListener)
  pause(@Param() place: Fields, @Query() query: Fields): Promise<{ paused: PauseRow[] }> {
    return this.order('pause', place, query);
  }

  @Post(':topic/:groupId/resume')
  @HttpCode(200)
  @RouteConstraints(managementListener)
  resume(@Param() place: Fields, @Query() query: Fields): Promise<{ paused: PauseRow[] }> {
    return this.order('resume', place, query);
  }

  private async order(kind: 'pause' | 'resume', place: Fields, query: Fields): Promise<{ paused: PauseRow[] }> {
    const [topic, groupId] = [String(place['topic']), String(place['groupId'])];
    const runner = this.dispatcher.subscription(topic, groupId);
    if (runner === null) throw new NotFoundException(`no subscription of the topic ${topic} with the group ${groupId}`);
    const at = placeOf(
      query['destination'],
      runner.subscription.destinations.map(({ name }) => name),
    );
    await this.controlLog.order(kind, topic, groupId, at);
    return { paused: this.pausedOf(topic, groupId) };
  }

  private pausedOf(topic: string, groupId: string): PauseRow[] {
    return this.controlLog
      .pausedOf(topic, groupId)
      .map(({ destination, sinceMs }) => ({ destination, since: new Date(sinceMs).toISOString() }));
  }
}

/** Null for the whole subscription. */
function placeOf(destination: unknown, names: readonly string[]): string | null {
  if (destination === undefined) return null;
  if (typeof destination === 'string') {
    if (names.includes(destination)) return destination;
    const origin = originOf(destination) ?? parseCallUrl(destination)?.origin;
    if (origin !== undefined) return origin;
  }
  throw new BadRequestException(
    `destination: found ${JSON.stringify(destination)}, allowed: an origin like "http://host:8080", or a name of the subscription's destinations`,
  );
}
