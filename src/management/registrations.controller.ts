// /subscriptions/GROUP: subscriptions that are registered while bigpipe runs, and endpoints that register themselves for a while.
import {
  Body,
  ConflictException,
  Controller,
  Delete,
  Get,
  Headers,
  HttpCode,
  HttpException,
  NotFoundException,
  Param,
  Post,
  PreconditionFailedException,
  Put,
  Query,
  Res,
  UnprocessableEntityException,
} from '@nestjs/common';
import { RouteConstraints } from '@nestjs/platform-fastify';
import { SkipThrottle } from '@nestjs/throttler';
import { Broker } from '../broker/broker.js';
import { readSubscription } from '../config-watch/registered-subscription.js';
import type { SubscriptionSettings } from '../config-watch/settings.js';
import { Dispatcher } from '../dispatcher/dispatcher.js';
import { parseCallUrl, schemeOf } from '../message/call-url.js';
import { Clock } from '../message/clock.js';
import { BigpipeError } from '../message/errors.js';
import { managementListener } from '../message/listener.js';
import { Subscriptions } from '../subscription/subscriptions.js';
import { flag, optionalNumber, optionalWhole } from './query.js';

type Fields = Readonly<Record<string, unknown>>;

/** Of one subscription, as JSON. */
const maxDocumentBytes = 65_536;
const groupPattern = /^[A-Za-z0-9._-]{1,100}$/;

/** What an answer is told beside its body. */
interface Reply {
  status(code: number): unknown;
  header(name: string, value: string): unknown;
}

interface EndpointRow {
  readonly url: string;
  readonly weight: number;
  /** null: it is fixed. */
  readonly expiresAt: string | null;
}

interface SubscriptionPage {
  readonly group: string;
  readonly source: 'file' | 'registered';
  readonly inForce: boolean;
  /** Why it is not. */
  readonly why?: string;
  readonly subscription?: Fields;
  readonly endpoints: readonly EndpointRow[];
}

@Controller('subscriptions')
export class RegistrationsController {
  constructor(
    private readonly subscriptions: Subscriptions,
    private readonly dispatcher: Dispatcher,
    private readonly broker: Broker,
    private readonly clock: Clock,
  ) {}

  @Get(':group')
  @RouteConstraints(managementListener)
  get(@Param('group') group: string, @Res({ passthrough: true }) reply: Reply): SubscriptionPage {
    const { registrations } = this.subscriptions;
    const registration = registrations.groups.get(group);
    const ofFile = this.subscriptions.ofFile(group);
    if (registration === undefined && ofFile.length === 0) throw notThere(group);
    if (registration !== undefined) reply.header('etag', tagOf(registration.version));
    const why = this.subscriptions.whyNotInForce(group);
    const endpoints = this.endpointsOf(group);
    if (registration === undefined) return { group, source: 'file', inForce: true, endpoints };
    const subscription = registration.document;
    if (why === null) return { group, source: 'registered', inForce: true, subscription, endpoints };
    return { group, source: 'registered', inForce: false, why, subscription, endpoints };
  }

  /** `If-Match`: only what has that ETag; `If-None-Match: *`: only what is not there; `?dryRun`: what would be answered, without doing it. */
  @Put(':group')
  @RouteConstraints(managementListener)
  async put(
    @Param('group') group: string,
    @Body() body: unknown,
    @Query() query: Fields,
    @Headers() headers: Fields,
    @Res({ passthrough: true }) reply: Reply,
  ): Promise<object> {
    const document = documentOf(body);
    if (!groupPattern.test(group))
      throw wrong([`group: found ${JSON.stringify(group)}, allowed: 1 to 100 of A-Z a-z 0-9 . _ -`]);
    const settings = readSubscription(group, document);
    if (!('topic' in settings)) throw wrong(settings);
    this.check(settings);
    const { registrations } = this.subscriptions;
    const current = registrations.groups.get(group)?.version ?? null;
    const basedOn = basedOnOf(headers, current);
    if (basedOn !== undefined && basedOn !== current) throw stale(group, current);
    if (flag(query, 'dryRun')) {
      reply.status(current === null ? 201 : 200);
      return { group, dryRun: true, subscription: document };
    }
    const written = await ended(registrations.put(group, document, this.startsOf(settings), basedOn));
    if (written === null) throw stale(group, registrations.groups.get(group)?.version ?? null);
    await this.dispatcher.whenInForce(group);
    reply.status(written.isNew ? 201 : 200);
    reply.header('etag', tagOf(written.version));
    return { group, subscription: document };
  }

  @Delete(':group')
  @HttpCode(204)
  @RouteConstraints(managementListener)
  async delete(@Param('group') group: string, @Headers() headers: Fields): Promise<void> {
    const { registrations } = this.subscriptions;
    const current = registrations.groups.get(group)?.version;
    if (current === undefined && this.subscriptions.ofFile(group).length > 0) throw ofTheFile(group);
    if (current === undefined) throw notThere(group);
    const basedOn = basedOnOf(headers, current);
    if (basedOn !== undefined && basedOn !== current) throw stale(group, current);
    if (!(await ended(registrations.delete(group, basedOn ?? undefined))))
      throw stale(group, registrations.groups.get(group)?.version ?? null);
  }

  /** The endpoint is there for `ttlSeconds`, and longer each time it says so again. Who asks is no person: many do, each again and again. */
  @Post(':group/endpoints')
  @SkipThrottle()
  @RouteConstraints(managementListener)
  async lease(
    @Param('group') group: string,
    @Body() body: unknown,
    @Res({ passthrough: true }) reply: Reply,
  ): Promise<EndpointRow> {
    this.mustTakeEndpoints(group);
    const fields = typeof body === 'object' && body !== null ? (body as Fields) : {};
    const { url } = fields;
    if (typeof url !== 'string' || parseCallUrl(url) === null)
      throw wrong([
        `url: found ${shown(url)}, allowed: an absolute http or https URL without credentials, at most 8 KiB`,
      ]);
    const ttlSeconds = optionalWhole(fields, 'ttlSeconds', 1, 86_400) ?? 30;
    const warmupSeconds = optionalWhole(fields, 'warmupSeconds', 0, 3600);
    const weight = optionalNumber(fields, 'weight', 0, 1000) ?? 1;
    if (schemeOf(url).startsWith('grpc') && this.subscriptions.ofGroup(group).some(({ needsConsent }) => needsConsent))
      throw wrong([`url: found ${shown(url)}, allowed: http or https, since the group asks for consent`]);
    const { registrations } = this.subscriptions;
    const noRoom = registrations.noRoomFor(group, url);
    if (noRoom !== null) throw new HttpException(noRoom, 429);
    const isNew = registrations.leaseOf(group, url) === undefined;
    const expiresMs = this.clock.now() + ttlSeconds * 1000;
    const warmupMs = warmupSeconds === undefined ? null : warmupSeconds * 1000;
    await ended(registrations.lease(group, { url, weight, warmupMs, expiresMs }));
    await this.dispatcher.whenInForce(group);
    reply.status(isNew ? 201 : 200);
    return { url, weight, expiresAt: new Date(expiresMs).toISOString() };
  }

  @Delete(':group/endpoints')
  @SkipThrottle()
  @HttpCode(204)
  @RouteConstraints(managementListener)
  async leave(@Param('group') group: string, @Query('url') url: unknown): Promise<void> {
    const { registrations } = this.subscriptions;
    const lease = typeof url === 'string' ? registrations.leaseOf(group, url) : undefined;
    if (lease === undefined) throw new NotFoundException(`no endpoint ${shown(url)} of the group ${group} has a lease`);
    await ended(registrations.lease(group, { ...lease, expiresMs: 0 }));
  }

  /** Throws when it cannot be there beside the others, or not now. */
  private check(settings: SubscriptionSettings): void {
    const { groupId, topic } = settings;
    if (this.subscriptions.ofFile(groupId).length > 0) throw ofTheFile(groupId);
    const against = this.subscriptions.against(settings);
    if (against !== null) throw wrong([against]);
    const registered = this.subscriptions.ofGroup(groupId)[0];
    if (registered !== undefined && registered.topic !== topic)
      throw new ConflictException(`the group ${groupId} reads ${registered.topic}: delete it first`);
    const vetoed = this.dispatcher.against(settings);
    if (vetoed !== null) throw new ConflictException(vetoed);
  }

  /** Of a group that is new: what "latest" means is settled when it is registered. */
  private startsOf({ startAt, topic, groupId }: SubscriptionSettings): readonly string[] | null {
    return startAt === 'latest' ? this.broker.lag(groupId, topic).map(({ highWatermark }) => `${highWatermark}`) : null;
  }

  private mustTakeEndpoints(group: string): void {
    const found = this.subscriptions.ofGroup(group);
    if (found.length === 0) throw notThere(group);
    if (found.every(({ endpoints }) => endpoints === null))
      throw new ConflictException(`the group ${group} has a url, not endpoints`);
  }

  private endpointsOf(group: string): EndpointRow[] {
    const { registrations } = this.subscriptions;
    const found = this.subscriptions.ofGroup(group).flatMap(({ endpoints }) => endpoints ?? []);
    return found.map(({ url, weight }) => {
      const lease = registrations.leaseOf(group, url);
      return { url, weight, expiresAt: lease === undefined ? null : new Date(lease.expiresMs).toISOString() };
    });
  }
}

function documentOf(body: unknown): Record<string, unknown> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw wrong(['found no JSON object']);
  const bytes = Buffer.byteLength(JSON.stringify(body));
  if (bytes > maxDocumentBytes)
    throw new HttpException(`the document has ${bytes} bytes, allowed: at most ${maxDocumentBytes}`, 413);
  return body as Record<string, unknown>;
}

/** The version that the caller builds on; null: none; undefined: whichever there is. */
function basedOnOf(headers: Fields, current: string | null): string | null | undefined {
  const [match, noneMatch] = [headers['if-match'], headers['if-none-match']];
  if (noneMatch === '*') return null;
  if (match === undefined) return undefined;
  // Anything, but something must be there; a tag that cannot be one is a version that nothing has.
  if (match === '*') return current ?? '';
  return /^"(\d+)"$/.exec(typeof match === 'string' ? match : '')?.[1] ?? '';
}

async function ended<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof BigpipeError) throw new HttpException(error.message, error.code === 'overloaded' ? 429 : 503);
    throw error;
  }
}

const tagOf = (version: string) => `"${version}"`;

const wrong = (faults: readonly string[]) =>
  new UnprocessableEntityException({ statusCode: 422, message: faults, error: 'Unprocessable Entity' });

const notThere = (group: string) => new NotFoundException(`no subscription of the group ${group}`);

const ofTheFile = (group: string) =>
  new ConflictException(`the configuration file names the group ${group}, and the file wins: change it there`);

const stale = (group: string, current: string | null) =>
  new PreconditionFailedException(
    current === null
      ? `no subscription of the group ${group} is registered`
      : `the group ${group} is at ${tagOf(current)}`,
  );

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
