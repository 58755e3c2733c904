// POST /commit, kproxy's door: a body to a topic, its bytes untouched; every answer is a status and no body.
import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { Acl } from '../../acl/acl.js';
import type { AclEntry } from '../../acl/acl-entry.js';
import { ConfigWatch } from '../../config-watch/config-watch.js';
import { Clock } from '../../message/clock.js';
import { BigpipeError } from '../../message/errors.js';
import { mainListener } from '../../message/listener.js';
import { type Acks, type Message, messageHeader } from '../../message/message.js';
import { MessageIds } from '../../producer/message-ids.js';
import { Producer } from '../../producer/producer.js';
import { Stats } from '../../stats/stats.js';
import { againstCallback } from '../callback-url.js';
import { callerOf, challenge } from '../caller.js';
import { durabilityHeader, durabilityWord } from '../durability-word.js';
import {
  idempotencyKeyForms,
  idempotencyKeyOf,
  idempotencyScopeHeader,
  onceKeyOf,
  replayedHeader,
} from '../idempotency-key.js';
import { IngestMeter } from '../ingest-meter.js';
import { hasTopic } from '../known-topics.js';
import { contentTypeOf, openRawScope, refuseOtherMethods } from '../raw-scope.js';
import { passTrace } from '../trace.js';
import { type CommitCall, type CommitRefusal, readCommit } from './commit-call.js';

const path = '/commit';
/** Its name among the metrics. */
const door = 'commit';
/** Seconds after which a caller that was turned away may come back. */
const retryAfterS = '1';
/** Why it was not stored, for people: the answer has no body. */
const errorHeader = 'bigpipe-error';
/** Under which name messages to open topics stand that came without one: none that the configuration can give. */
const nobody = '';

interface Offered {
  readonly message: Message;
  readonly acks: Acks;
  readonly callerName: string;
}

@Injectable()
export class CommitDoor implements OnModuleInit {
  private readonly log = new Logger(CommitDoor.name);
  private readonly counters = { received: 0, accepted: 0, refused: 0 };

  constructor(
    private readonly acl: Acl,
    private readonly producer: Producer,
    private readonly ids: MessageIds,
    private readonly configWatch: ConfigWatch,
    private readonly adapterHost: HttpAdapterHost,
    private readonly clock: Clock,
    private readonly meter: IngestMeter,
    stats: Stats,
  ) {
    stats.register('commitStats', () => this.counters);
  }

  onModuleInit(): void {
    openRawScope(
      this.adapterHost,
      () => this.configWatch.settings.server.maxBodyBytes,
      (scope) => {
        scope.setErrorHandler<FastifyError>((error, _request, reply) => {
          if (error.statusCode === undefined) return this.notStored(error, reply);
          this.counters.received += 1;
          this.meter.count(door, 'refused');
          return this.refuse(reply, error.statusCode === 413 ? 413 : 400, error.message);
        });
        scope.route({
          method: 'POST',
          url: path,
          constraints: mainListener,
          handler: this.meter.around(door, path, (request: FastifyRequest, reply: FastifyReply) =>
            this.commit(request, reply),
          ),
        });
        refuseOtherMethods(scope, path, ['POST'], (reply) => reply.send());
      },
    );
  }

  private async commit(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    this.counters.received += 1;
    const nowMs = this.clock.now();
    const body = request.body as Buffer | undefined;
    const { query, headers, raw } = request;
    const call = readCommit(query as Record<string, unknown>, headers, contentTypeOf(raw), nowMs);
    if ('refused' in call) return this.refuse(reply, 400, (call as CommitRefusal).refused);
    if (body === undefined || body.length === 0) return this.refuse(reply, 400, 'there is no body');
    const found = callerOf(this.acl, request);
    const caller = found instanceof Promise ? await found : found;
    const denied = this.deniedTo(caller, call.topic, headers.authorization !== undefined);
    if (denied === 401) return this.refuse(reply.header('www-authenticate', challenge), 401, 'who calls is not known');
    if (denied === 403) return this.refuse(reply, 403, 'the topic is not allowed');
    const callbackUrl = call.headers[messageHeader.callbackUrl];
    const { egress } = this.configWatch.settings;
    const against = callbackUrl === undefined ? null : againstCallback(callbackUrl, caller, egress);
    if (against !== null) return this.refuse(reply, 403, `${messageHeader.callbackUrl}: ${against}`);
    const throttle = caller?.admit() ?? null;
    if (throttle !== null) {
      for (const [name, value] of Object.entries(throttle.headers)) reply.header(name, value);
      return this.refuse(reply, 429, 'throttled');
    }
    const callerName = caller?.name ?? nobody;
    passTrace(headers, call.headers);
    const made = call.id ?? this.ids.next(nowMs);
    const message = messageOf(call, callerName, body, typeof made === 'string' ? made : await made);
    const { commit } = this.configWatch.settings;
    return this.store(request, reply, { message, acks: call.acks ?? commit.acks, callerName });
  }

  /** Who shows credentials is held to them, also where nobody needs any. */
  private deniedTo(caller: AclEntry | null, topic: string, hasCredentials: boolean): 401 | 403 | null {
    const { settings } = this.configWatch;
    const isOpen = settings.commit.openTopics.includes(topic);
    if (caller === null && (hasCredentials || !isOpen)) return 401;
    const mayWrite = isOpen || caller?.mayWrite(topic) === true;
    return mayWrite && hasTopic(settings, topic) ? null : 403;
  }

  private async store(request: FastifyRequest, reply: FastifyReply, offered: Offered): Promise<FastifyReply> {
    const { message, acks } = offered;
    const written = request.headers['idempotency-key'];
    try {
      if (written !== undefined) return await this.storeOnce(request, reply, offered, String(written));
      await this.producer.accept(message, acks);
    } catch (error) {
      return this.notStored(error, reply);
    }
    return this.accepted(reply, message.headers[messageHeader.id] as string, this.producer.durability(acks));
  }

  private async storeOnce(
    { headers, url, raw }: FastifyRequest,
    reply: FastifyReply,
    { message, acks, callerName }: Offered,
    written: string,
  ): Promise<FastifyReply> {
    const key = idempotencyKeyOf(written);
    if (key === null) return this.refuse(reply, 400, `Idempotency-Key: ${idempotencyKeyForms}`);
    const asked = Object.keys(headers)
      .filter((name) => name.startsWith('bigpipe-'))
      .sort()
      .flatMap((name) => [name, String(headers[name])]);
    const parts = [path, url, contentTypeOf(raw) ?? '', ...asked, message.body];
    reply.header(idempotencyScopeHeader, this.producer.idempotencyScope);
    const once = onceKeyOf(callerName, key, parts);
    const { id, durability, isReplay, scope } = await this.producer.acceptOnce({ message, acks, once });
    reply.header(idempotencyScopeHeader, scope);
    if (isReplay) reply.header(replayedHeader, 'true');
    return this.accepted(reply, id, durability);
  }

  private accepted(reply: FastifyReply, id: string, durability: string): FastifyReply {
    this.counters.accepted += 1;
    reply.header(messageHeader.id, id);
    reply.header(durabilityHeader, durabilityWord(durability));
    return reply.send();
  }

  private notStored(error: unknown, reply: FastifyReply): FastifyReply {
    const known = error instanceof BigpipeError ? error : null;
    if (known === null || known.code === 'internal') this.log.error({ msg: 'a call could not be stored', err: error });
    switch (known?.code) {
      case 'idempotency-mismatch':
        return this.refuse(reply, 422, known.code);
      case 'idempotency-in-progress':
        return this.refuse(reply.header('retry-after', retryAfterS), 409, known.code);
      case 'message-too-large':
        return this.refuse(reply, 413, known.code);
      default:
        if (known?.retriable !== true) return this.refuse(reply, 500, known?.code ?? 'internal');
        return this.refuse(reply.header('retry-after', retryAfterS), 503, known.code);
    }
  }

  private refuse(reply: FastifyReply, status: number, why: string): FastifyReply {
    this.counters.refused += 1;
    return reply.status(status).header(errorHeader, why).send();
  }
}

function messageOf({ topic, key, headers }: CommitCall, callerName: string, body: Buffer, id: string): Message {
  headers[messageHeader.id] = id;
  headers[messageHeader.acl] = callerName;
  return { topic, key, body, headers };
}
