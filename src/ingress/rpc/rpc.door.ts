// POST /rpc/call, the original's door: always HTTP 200 with {data, errno, msg}, whatever becomes of the call.
import { isUtf8 } from 'node:buffer';
import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyError } from 'fastify';
import { Acl } from '../../acl/acl.js';
import type { AclEntry } from '../../acl/acl-entry.js';
import { ConfigWatch } from '../../config-watch/config-watch.js';
import { Clock } from '../../message/clock.js';
import { egressRulesOf } from '../../message/egress-rules.js';
import { BigpipeError, type ErrorCode } from '../../message/errors.js';
import { mainListener } from '../../message/listener.js';
import { type Acks, type Message, messageHeader } from '../../message/message.js';
import type { Throttle } from '../../message/quota.js';
import type { Reply } from '../../message/reply.js';
import { MessageIds } from '../../producer/message-ids.js';
import { Producer } from '../../producer/producer.js';
import { Stats } from '../../stats/stats.js';
import { bytesOf } from '../body-bytes.js';
import { againstCallback } from '../callback-url.js';
import type { DoorReply, DoorRequest } from '../exchange.js';
import {
  idempotencyKeyForms,
  idempotencyKeyOf,
  idempotencyScopeHeader,
  onceKeyOf,
  replayedHeader,
} from '../idempotency-key.js';
import { IngestMeter } from '../ingest-meter.js';
import { putTimes } from '../moments.js';
import { openRawScope } from '../raw-scope.js';
import { cacheForms, cacheMsOf, ResultCache } from '../result-cache.js';
import { openShortWay } from '../short-way.js';
import { passTrace } from '../trace.js';
import { replyHeader, type WaitingCaller, WaitingRoom } from '../waiting-caller.js';
import { type Refusal, type RpcCall, readRpcCall } from './rpc-call.js';

/** Its name among the metrics. */
const door = 'rpc';
const path = '/rpc/call';
/** Seconds after which a caller that was turned away may come back. */
const retryAfterS = '1';
/** The original looks at no method; these are the ones that a body may come with, or without. */
const methods = ['POST', 'PUT', 'PATCH', 'GET', 'DELETE'];

const answerOf = (errno: number, msg: string) => JSON.stringify({ data: '', errno, msg });
/** A text: Node writes it together with the answer's head, bytes only behind it. */
const stored = answerOf(0, '发送成功');
const overloaded = answerOf(-1, '超过负载');
const broken = answerOf(1, '内部错误');
const forbidden = answerOf(-1, '权限错误');
const tooLarge = answerOf(-1, '请求体过大');

const misuses: Readonly<Partial<Record<ErrorCode, string>>> = {
  'idempotency-in-progress': answerOf(-1, '处理中'),
  'idempotency-mismatch': answerOf(-1, 'Idempotency-Key无效: it belongs to another call'),
};

interface OnceCall {
  readonly caller: AclEntry;
  readonly message: Message;
  readonly acks: Acks | undefined;
  readonly key: string | readonly string[];
  readonly waiting: WaitingCaller | null;
}

@Injectable()
export class RpcDoor implements OnModuleInit {
  private readonly log = new Logger(RpcDoor.name);
  private readonly counters = { receivedCall: 0, acceptedCall: 0, overloadCall: 0 };

  constructor(
    private readonly acl: Acl,
    private readonly producer: Producer,
    private readonly ids: MessageIds,
    private readonly configWatch: ConfigWatch,
    private readonly adapterHost: HttpAdapterHost,
    private readonly clock: Clock,
    private readonly waiting: WaitingRoom,
    private readonly results: ResultCache,
    private readonly meter: IngestMeter,
    stats: Stats,
  ) {
    stats.register('serverStats', () => this.counters);
  }

  /** The hot route stands on the Fastify instance itself, and its plain calls go past that. */
  onModuleInit(): void {
    const handle = this.meter.around(door, path, (request: DoorRequest, reply: DoorReply) => this.call(request, reply));
    openShortWay(this.adapterHost, this.configWatch, {
      path,
      handle,
      broken: () => this.countUnreadable(),
      failed: (error, reply) => void this.notStored(error, reply),
    });
    openRawScope(
      this.adapterHost,
      () => this.configWatch.settings.server.maxBodyBytes,
      (scope) => {
        scope.setErrorHandler<FastifyError>((error, _request, reply) => this.unreadable(error, reply));
        scope.route({
          method: methods,
          url: path,
          constraints: mainListener,
          handler: handle,
        });
      },
    );
  }

  private async call(request: DoorRequest, reply: DoorReply): Promise<DoorReply> {
    this.counters.receivedCall += 1;
    reply.header('content-type', 'application/json; charset=utf-8');
    const call = readRpcCall(request.body as Buffer | undefined);
    if ('refused' in call) return reply.send(answerOf(-1, (call as Refusal).refused));
    const { socket } = request;
    const found = this.acl.check(call.aclName, call.aclSecret, socket.remoteAddress, socket);
    const caller = found instanceof Promise ? await found : found;
    if (caller?.mayCall(call.url) !== true) return reply.send(forbidden);
    const throttle = caller.admit();
    if (throttle !== null) return this.throttled(reply, throttle);
    // What only the look-up of a name can tell is told by a dead letter.
    const against = egressRulesOf(this.configWatch.settings.egress).againstUrl(call.url);
    if (against !== null) return reply.send(answerOf(-1, `url无效: ${against}`));
    const againstIt = this.againstCallbackOf(call, caller);
    if (againstIt !== null) return reply.send(answerOf(-1, `callback_url无效: ${againstIt}`));
    const nowMs = this.clock.now();
    const times = call.timesAt?.(nowMs) ?? null;
    if (times !== null && 'refused' in times) return reply.send(answerOf(-1, times.refused));
    if (times !== null) putTimes(times, call.headers);
    passTrace(request.headers, call.headers);
    const made = call.id ?? this.ids.next(nowMs);
    const message = messageOf(call, caller, typeof made === 'string' ? made : await made);
    const key = request.headers['idempotency-key'];
    const cacheMs = cacheMsOf(request.headers, call.waitMs, key !== undefined);
    if (cacheMs === null) return reply.send(answerOf(-1, `bigpipe-cache无效: ${cacheForms}`));
    const known = cacheMs === 0 ? null : await this.results.find(reply, message, call.headers, cacheMs);
    if (known !== null) return reply.send(told(reply, known));
    const waiting = call.waitMs === 0 ? null : this.waiting.begin(request, reply, call.headers, call.waitMs);
    if (key !== undefined) return this.once(request, reply, { caller, message, acks: call.acks, key, waiting });
    try {
      await this.producer.accept(message, call.acks);
    } catch (error) {
      waiting?.giveUp();
      return this.notStored(error, reply);
    }
    const id = message.headers[messageHeader.id] as string;
    this.tellStored(reply, id, this.producer.durability(call.acks));
    return waiting === null ? reply.send(stored) : reply.send(await this.answered(reply, waiting, id, false));
  }

  private againstCallbackOf({ callbackUrl }: RpcCall, caller: AclEntry): string | null {
    return callbackUrl === null ? null : againstCallback(callbackUrl, caller, this.configWatch.settings.egress);
  }

  private async once(
    request: DoorRequest,
    reply: DoorReply,
    { caller, message, acks, key: written, waiting }: OnceCall,
  ): Promise<DoorReply> {
    const key = typeof written === 'string' ? idempotencyKeyOf(written) : null;
    if (key === null) {
      waiting?.giveUp();
      return reply.send(answerOf(-1, `Idempotency-Key无效: ${idempotencyKeyForms}`));
    }
    reply.header(idempotencyScopeHeader, this.producer.idempotencyScope);
    const once = onceKeyOf(caller.name, key, ['/rpc/call', request.body as Buffer]);
    try {
      const { id, durability, isReplay, scope } = await this.producer.acceptOnce({ message, acks, once });
      if (scope !== null) reply.header(idempotencyScopeHeader, scope);
      if (isReplay) reply.header(replayedHeader, 'true');
      this.tellStored(reply, id, durability);
      return waiting === null ? reply.send(stored) : reply.send(await this.answered(reply, waiting, id, isReplay));
    } catch (error) {
      waiting?.giveUp();
      return this.notStored(error, reply);
    }
  }

  private tellStored(reply: DoorReply, id: string, durability: string): void {
    this.counters.acceptedCall += 1;
    reply.header(messageHeader.id, id);
    reply.header('bigpipe-durability', durability);
  }

  /** What the receiver said, in the original's `data`, which is empty otherwise; it is stored in any case. */
  private async answered(reply: DoorReply, waiting: WaitingCaller, id: string, isReplay: boolean): Promise<string> {
    const found = await waiting.reply(id, isReplay);
    return found === null ? stored : told(reply, found);
  }

  /** In the original's words; what only its headers say is the same on every door. */
  private throttled(reply: DoorReply, { headers }: Throttle): DoorReply {
    this.counters.overloadCall += 1;
    reply.header('bigpipe-error', 'throttled').headers(headers);
    return reply.send(overloaded);
  }

  private notStored(error: unknown, reply: DoorReply): DoorReply {
    const known = error instanceof BigpipeError;
    reply.header('bigpipe-error', known ? error.code : 'internal');
    if (!known) {
      this.log.error({ msg: 'a call could not be stored', err: error });
      return reply.send(broken);
    }
    if (error.retriable) reply.header('retry-after', retryAfterS);
    const misused = misuses[error.code];
    if (misused !== undefined) return reply.send(misused);
    if (error.code !== 'overloaded') return reply.send(broken);
    this.counters.overloadCall += 1;
    return reply.send(overloaded);
  }

  /** The body could not be read: too long, too slow, or broken off. */
  private unreadable(error: FastifyError, reply: DoorReply): DoorReply {
    this.countUnreadable();
    reply.header('content-type', 'application/json; charset=utf-8');
    if (error.statusCode === 413) return reply.status(413).send(tooLarge);
    return reply.status(200).send(broken);
  }

  private countUnreadable(): void {
    this.counters.receivedCall += 1;
    this.meter.count(door, 'refused');
  }
}

function messageOf(call: RpcCall, { name, topic }: AclEntry, id: string): Message {
  const { headers } = call;
  headers[messageHeader.id] = id;
  headers[messageHeader.acl] = name;
  return { topic, key: call.key === '' ? null : bytesOf(call.key), body: bytesOf(call.data), headers };
}

/** What the receiver said. */
function told(reply: DoorReply, found: Reply): string {
  reply.header(replyHeader, found.kind);
  if (found.kind === 'failed') {
    const { status, detail } = found;
    return JSON.stringify({ data: '', errno: 0, msg: '发送成功', reply: { status, detail } });
  }
  const { status, headers, body } = found;
  const isText = isUtf8(body);
  const data = body.toString(isText ? 'utf8' : 'base64');
  const encoding = isText ? 'utf-8' : 'base64';
  return JSON.stringify({ data, errno: 0, msg: '发送成功', reply: { status, headers, encoding } });
}
