// POST /v1/messages: one message, with its fields in headers, in JSON, or as a CloudEvent.
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { Acl } from '../../acl/acl.js';
import type { AclEntry } from '../../acl/acl-entry.js';
import { ConfigWatch } from '../../config-watch/config-watch.js';
import { Clock } from '../../message/clock.js';
import { mainListener } from '../../message/listener.js';
import { messageHeader } from '../../message/message.js';
import type { Throttle } from '../../message/quota.js';
import { MessageIds } from '../../producer/message-ids.js';
import { type Accepted, Producer } from '../../producer/producer.js';
import { Stats } from '../../stats/stats.js';
import { callerOf } from '../caller.js';
import { durabilityHeader, durabilityWord } from '../durability-word.js';
import type { DoorReply, DoorRequest } from '../exchange.js';
import { idempotencyScopeHeader, onceKeyOf, replayedHeader } from '../idempotency-key.js';
import { IngestMeter } from '../ingest-meter.js';
import { contentTypeOf, refuseOtherMethods } from '../raw-scope.js';
import { cacheForms, cacheHeader, cacheMsOf, ResultCache } from '../result-cache.js';
import { openShortWay } from '../short-way.js';
import { type WaitingCaller, WaitingRoom, waitMsIn } from '../waiting-caller.js';
import { batchedType, readBinaryEvent, readStructuredEvent, structuredType, withExtensions } from './cloud-event.js';
import { draftOf, type Written } from './draft.js';
import { askedInHeaders, readHeaderForm } from './header-form.js';
import { jsonObjectOf, jsonType, readJsonForm } from './json-form.js';
import { forbiddenOf, messageOf } from './message-maker.js';
import { type Fault, type Problem, problemOf, sendProblem, sendThrottled } from './problem.js';
import { sendReceiverAnswer } from './receiver-answer.js';
import { openV1Scope, refuseMethod, sendError } from './v1-scope.js';

export const messagesPath = '/v1/messages';
/** Its name among the metrics. */
const door = 'messages';

const nothing = Buffer.alloc(0);

@Injectable()
export class MessagesDoor implements OnModuleInit {
  private readonly counters = { received: 0, accepted: 0, refused: 0 };

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
    stats.register('messagesStats', () => this.counters);
  }

  onModuleInit(): void {
    const unreadable = () => this.meter.count(door, 'refused');
    const handle = this.meter.around(door, messagesPath, (request: DoorRequest, reply: DoorReply) =>
      this.post(request, reply),
    );
    openShortWay(this.adapterHost, this.configWatch, {
      path: messagesPath,
      handle,
      broken: unreadable,
      failed: (error, reply) => void sendError(reply, error),
    });
    openV1Scope(
      this.adapterHost,
      this.configWatch,
      (scope) => {
        scope.route({
          method: 'POST',
          url: messagesPath,
          constraints: mainListener,
          handler: handle,
        });
        refuseOtherMethods(scope, messagesPath, ['POST'], refuseMethod);
      },
      unreadable,
    );
  }

  private async post(request: DoorRequest, reply: DoorReply): Promise<DoorReply> {
    this.counters.received += 1;
    const found = callerOf(this.acl, request);
    const caller = found instanceof Promise ? await found : found;
    if (caller === null) return this.refuse(reply, problemOf('unauthorized', 'a name and its secret are needed'));
    const throttle = caller.admit();
    if (throttle !== null) return this.throttled(reply, throttle);
    const faults: Fault[] = [];
    const written = readWritten(request, faults);
    if ('code' in written) return this.refuse(reply, written);
    const nowMs = this.clock.now();
    const draft = draftOf(written, nowMs, faults);
    if (faults.length > 0) return this.refuse(reply, problemOf('invalid-request', detailOf(faults), faults));
    const forbidden = forbiddenOf(draft, caller, this.configWatch.settings, written.placeOf);
    if (forbidden !== null) return this.refuse(reply, forbidden);
    const made = draft.id ?? this.ids.next(nowMs);
    const message = messageOf({ ...draft, id: typeof made === 'string' ? made : await made }, caller, nowMs);
    const waitMs = waitMsIn(request.headers.prefer);
    const cacheMs = cacheMsOf(request.headers, waitMs, draft.idempotencyKey !== null);
    if (cacheMs === null) {
      const fault = { detail: `allowed: ${cacheForms}`, header: cacheHeader };
      return this.refuse(reply, problemOf('invalid-request', detailOf([fault]), [fault]));
    }
    const known = cacheMs === 0 ? null : await this.results.find(reply, message, draft.headers, cacheMs);
    if (known !== null) return sendReceiverAnswer(reply.header('preference-applied', 'wait'), known);
    const waiting = waitMs === 0 ? null : this.waiting.begin(request, reply, draft.headers, waitMs);
    try {
      if (draft.idempotencyKey !== null) {
        const once = onceOf(request, caller, draft.idempotencyKey);
        reply.header(idempotencyScopeHeader, this.producer.idempotencyScope);
        const accepted = await this.producer.acceptOnce({ message, acks: draft.acks, once });
        const { isReplay, scope } = accepted;
        if (scope !== null) reply.header(idempotencyScopeHeader, scope);
        if (isReplay) reply.header(replayedHeader, 'true');
        return await this.answer(request, reply, accepted, waiting);
      }
      await this.producer.accept(message, draft.acks);
    } catch (error) {
      waiting?.giveUp();
      this.counters.refused += 1;
      return sendError(reply, error);
    }
    const id = message.headers[messageHeader.id] as string;
    const durability = this.producer.durability(draft.acks);
    return this.answer(request, reply, { id, durability, isReplay: false, scope: null }, waiting);
  }

  /** It is stored: the receiver's answer if it comes in time, else that it is stored. */
  private async answer(
    request: DoorRequest,
    reply: DoorReply,
    { id, durability, isReplay }: Accepted,
    waiting: WaitingCaller | null,
  ): Promise<DoorReply> {
    const found = waiting === null ? null : await waiting.reply(id, isReplay);
    if (found === null) return this.accepted(request, reply, id, durability);
    this.counters.accepted += 1;
    reply.header('location', `${messagesPath}/${id}`).header(durabilityHeader, durabilityWord(durability));
    reply.header('preference-applied', 'wait');
    return sendReceiverAnswer(reply, found);
  }

  private throttled(reply: DoorReply, throttle: Throttle): DoorReply {
    this.counters.refused += 1;
    return sendThrottled(reply, throttle);
  }

  private accepted(request: DoorRequest, reply: DoorReply, id: string, durability: string): DoorReply {
    this.counters.accepted += 1;
    const word = durabilityWord(durability);
    const { prefer } = request.headers;
    // It is what happens anyway.
    if (prefer !== undefined && /(^|[\s,;])respond-async($|[\s,;])/i.test(String(prefer)))
      reply.header('preference-applied', 'respond-async');
    return reply
      .status(202)
      .header('location', `${messagesPath}/${id}`)
      .header(messageHeader.id, id)
      .header(durabilityHeader, word)
      .header('content-type', 'application/json; charset=utf-8')
      .send(`{"id":"${id}","durability":"${word}"}`);
  }

  private refuse(reply: DoorReply, problem: Problem): DoorReply {
    this.counters.refused += 1;
    return sendProblem(reply, problem);
  }
}

/** For people who read one line only. */
export const detailOf = (faults: readonly Fault[]) =>
  `${faults.length} ${faults.length === 1 ? 'fault' : 'faults'}: see errors`;

function readWritten({ headers, raw, body }: DoorRequest, faults: Fault[]): Written | Problem {
  const bytes = (body as Buffer | undefined) ?? nothing;
  const contentType = contentTypeOf(raw);
  const mediaType = (contentType?.split(';', 1)[0] ?? '').trim().toLowerCase();
  switch (mediaType) {
    case batchedType:
      return problemOf(
        'unsupported-media-type',
        `send several messages to ${messagesPath}:batch, a JSON object a line`,
      );
    case jsonType: {
      const json = jsonObjectOf(bytes);
      if (json === null) return noObject();
      const own = readHeaderForm(headers, undefined, nothing, {}, faults);
      const written = readJsonForm(json, faults);
      return withHeaders(written, own, faults);
    }
    case structuredType: {
      const json = jsonObjectOf(bytes);
      if (json === null) return noObject();
      const event = readStructuredEvent(json, faults);
      const written = readHeaderForm(headers, event.contentType, event.body, event.forwarded, faults);
      return withExtensions(written, event.forwarded);
    }
    default: {
      const event = readBinaryEvent(headers, faults);
      const written = readHeaderForm(headers, contentType, bytes, event, faults);
      return 'ce-type' in event ? withExtensions(written, event) : written;
    }
  }
}

/** In the JSON form all fields stand in the body; a key for its repeats may stand in its usual header. */
function withHeaders(written: Written, own: Written, faults: Fault[]): Written {
  const fields = { ...written.fields };
  for (const [name, value] of Object.entries(own.fields)) {
    const field = name as keyof typeof fields;
    if (field === 'idempotency_key' && fields[field] === undefined) fields[field] = value;
    else if (field === 'headers') fields.headers = withTrace(fields.headers, value, faults, own);
    else faults.push({ detail: 'in this form it belongs into the body', ...own.placeOf(field) });
  }
  return { ...written, fields };
}

/** Only the trace goes along by itself. */
function withTrace(asked: unknown, value: unknown, faults: Fault[], own: Written): unknown {
  const { traceparent, tracestate, ...others } = value as Record<string, string>;
  for (const name of Object.keys(others))
    faults.push({ detail: 'in this form it belongs into the body', ...own.placeOf('headers', name) });
  if (traceparent === undefined || (asked !== undefined && typeof asked !== 'object')) return asked;
  return { traceparent, ...(tracestate === undefined ? {} : { tracestate }), ...(asked as object | undefined) };
}

const noObject = () =>
  problemOf('invalid-request', 'the body is no JSON object in UTF-8', [
    { detail: 'a JSON object is needed', pointer: '#' },
  ]);

function onceOf({ headers, raw, body }: DoorRequest, caller: AclEntry, key: string) {
  const bytes = (body as Buffer | undefined) ?? nothing;
  const asked = [messagesPath, contentTypeOf(raw) ?? '', ...askedInHeaders(headers), bytes];
  return onceKeyOf(caller.name, key, asked);
}
