// POST /v1/messages:batch: many messages, one JSON object a line; one append, an answer a line.
import type { IncomingHttpHeaders } from 'node:http';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Acl } from '../../acl/acl.js';
import type { AclEntry } from '../../acl/acl-entry.js';
import { ConfigWatch } from '../../config-watch/config-watch.js';
import { Clock } from '../../message/clock.js';
import { mainListener } from '../../message/listener.js';
import { MessageIds } from '../../producer/message-ids.js';
import type { Offer } from '../../producer/producer.js';
import { Producer } from '../../producer/producer.js';
import { Stats } from '../../stats/stats.js';
import { callerOf } from '../caller.js';
import { durabilityWord } from '../durability-word.js';
import { idempotencyScopeHeader, onceKeyOf } from '../idempotency-key.js';
import { IngestMeter } from '../ingest-meter.js';
import { contentTypeOf, refuseOtherMethods } from '../raw-scope.js';
import { passTrace } from '../trace.js';
import { draftOf } from './draft.js';
import { jsonObjectOf, readJsonForm } from './json-form.js';
import { forbiddenOf, messageOf } from './message-maker.js';
import { detailOf, messagesPath } from './messages.door.js';
import { type Fault, type Problem, problemOf, sendProblem, sendThrottled } from './problem.js';
import { openV1Scope, refuseMethod, toldProblem } from './v1-scope.js';

export const batchPath = `${messagesPath}:batch`;
export const linesType = 'application/x-ndjson';
export const maxLines = 10_000;

const newline = 0x0a;

/** What stands in a line of the answer. */
type LineAnswer =
  | {
      readonly status: 202;
      readonly id: string;
      readonly location: string;
      readonly durability: string;
      readonly replayed?: true;
    }
  | Problem;

/** Its name among the metrics. */
const door = 'batch';

@Injectable()
export class BatchDoor implements OnModuleInit {
  private readonly counters = { received: 0, lines: 0, accepted: 0 };

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
    stats.register('batchStats', () => this.counters);
  }

  onModuleInit(): void {
    const unreadable = () => this.meter.count(door, 'refused');
    openV1Scope(
      this.adapterHost,
      this.configWatch,
      (scope) => {
        // A colon is doubled where it is no parameter's.
        const url = batchPath.replace(':', '::');
        scope.route({
          method: 'POST',
          url,
          constraints: mainListener,
          handler: this.meter.around(door, batchPath, (request: FastifyRequest, reply: FastifyReply) =>
            this.post(request, reply),
          ),
        });
        refuseOtherMethods(scope, url, ['POST'], refuseMethod);
      },
      unreadable,
    );
  }

  private async post(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    this.counters.received += 1;
    const found = callerOf(this.acl, request);
    const caller = found instanceof Promise ? await found : found;
    if (caller === null) return sendProblem(reply, problemOf('unauthorized', 'a name and its secret are needed'));
    const refused = refusalOf(request);
    if (refused !== null) return sendProblem(reply, refused);
    const lines = linesOf(request.body as Buffer | undefined);
    if (lines.length === 0) return sendProblem(reply, problemOf('invalid-request', 'there is no line'));
    if (lines.length > maxLines)
      return sendProblem(reply, problemOf('message-too-large', `at most ${maxLines} lines are taken`));
    const throttle = caller.admit(lines.length);
    if (throttle !== null) return sendThrottled(reply, throttle);
    this.counters.lines += lines.length;
    const answers = await this.answersTo(request, reply, lines, caller);
    reply.header('content-type', `${linesType}; charset=utf-8`);
    return reply.send(answers.map((answer) => `${JSON.stringify(answer)}\n`).join(''));
  }

  /** A line that names no trace belongs to the request's. */
  private async answersTo(
    { headers }: FastifyRequest,
    reply: FastifyReply,
    lines: readonly Buffer[],
    caller: AclEntry,
  ): Promise<LineAnswer[]> {
    const nowMs = this.clock.now();
    const read = await Promise.all(lines.map((line) => this.offerOf(line, caller, headers, nowMs)));
    const offers = read.filter((one): one is Offer => 'message' in one);
    const results = await this.producer.acceptAll(offers);
    // Of the whole batch: as far as every key in it.
    const isKnownHereOnly = results.some((result) => 'scope' in result && result.scope === 'node');
    reply.header(idempotencyScopeHeader, isKnownHereOnly ? 'node' : this.producer.idempotencyScope);
    let next = 0;
    return read.map((one): LineAnswer => {
      if (!('message' in one)) return one;
      const result = results[next];
      next += 1;
      if (result === undefined || result instanceof Error) return toldProblem(result);
      this.counters.accepted += 1;
      const { id, durability, isReplay } = result;
      const answer = {
        status: 202,
        id,
        location: `${messagesPath}/${id}`,
        durability: durabilityWord(durability),
      } as const;
      return isReplay ? { ...answer, replayed: true } : answer;
    });
  }

  private async offerOf(
    line: Buffer,
    caller: AclEntry,
    headers: IncomingHttpHeaders,
    nowMs: number,
  ): Promise<Offer | Problem> {
    const json = jsonObjectOf(line);
    if (json === null)
      return problemOf('invalid-request', 'the line is no JSON object in UTF-8', [
        { detail: 'a JSON object is needed', pointer: '#' },
      ]);
    const faults: Fault[] = [];
    const written = readJsonForm(json, faults);
    const draft = draftOf(written, nowMs, faults);
    if (faults.length > 0) return problemOf('invalid-request', detailOf(faults), faults);
    const forbidden = forbiddenOf(draft, caller, this.configWatch.settings, written.placeOf);
    if (forbidden !== null) return forbidden;
    passTrace(headers, draft.headers);
    const { idempotencyKey, acks } = draft;
    // The same as for the line sent by itself.
    const once = idempotencyKey === null ? null : onceKeyOf(caller.name, idempotencyKey, [batchPath, line]);
    const made = draft.id ?? this.ids.next(nowMs);
    const id = typeof made === 'string' ? made : await made;
    return { message: messageOf({ ...draft, id }, caller, nowMs), acks, once };
  }
}

function refusalOf({ headers, raw }: FastifyRequest): Problem | null {
  const mediaType = (contentTypeOf(raw)?.split(';', 1)[0] ?? '').trim().toLowerCase();
  if (mediaType !== linesType) return problemOf('unsupported-media-type', `${linesType} is needed`);
  const faults = Object.keys(headers)
    .filter((name) => name === 'idempotency-key' || name.startsWith('bigpipe-'))
    .map((header) => ({ detail: 'in a batch it belongs into each line', header }));
  return faults.length === 0 ? null : problemOf('invalid-request', detailOf(faults), faults);
}

/** Empty ones are passed over. */
function linesOf(body: Buffer = Buffer.alloc(0)): Buffer[] {
  const lines: Buffer[] = [];
  for (let from = 0; from < body.length && lines.length <= maxLines; ) {
    const at = body.indexOf(newline, from);
    const to = at === -1 ? body.length : at;
    const line = body.subarray(from, to);
    if (line.some((byte) => byte !== 0x20 && byte !== 0x0d && byte !== 0x09)) lines.push(line);
    from = to + 1;
  }
  return lines;
}
