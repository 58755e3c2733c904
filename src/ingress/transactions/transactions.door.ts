// POST /v1/transactions: messages that nobody sees until their producer says so.
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Acl } from '../../acl/acl.js';
import type { AclEntry } from '../../acl/acl-entry.js';
import { ConfigWatch } from '../../config-watch/config-watch.js';
import { Clock } from '../../message/clock.js';
import { mainListener } from '../../message/listener.js';
import { messageHeader } from '../../message/message.js';
import { Producer } from '../../producer/producer.js';
import { Stats } from '../../stats/stats.js';
import type { HalfMessage } from '../../transaction/half-messages.js';
import { Transactions } from '../../transaction/transactions.js';
import { callerOf } from '../caller.js';
import { durabilityHeader, durabilityWord } from '../durability-word.js';
import { idempotencyKeyOf, idempotencyScopeHeader, onceKeyOf, replayedHeader } from '../idempotency-key.js';
import { jsonObjectOf } from '../messages/json-form.js';
import { detailOf } from '../messages/messages.door.js';
import { type Fault, type Problem, problemOf, sendProblem, sendThrottled } from '../messages/problem.js';
import { openV1Scope, refuseMethod, sendError } from '../messages/v1-scope.js';
import { contentTypeOf, refuseOtherMethods } from '../raw-scope.js';
import { waitMsIn } from '../waiting-caller.js';
import { forbiddenIn, halfMessagesOf, type TransactionDraft, transactionDraftOf } from './transaction-draft.js';
import { readTransactionForm } from './transaction-form.js';
import { switchedOff } from './transaction-problems.js';

export const transactionsPath = '/v1/transactions';

const nothing = Buffer.alloc(0);
const jsonTypes: readonly string[] = ['application/json', 'application/vnd.bigpipe+json'];

@Injectable()
export class TransactionsDoor implements OnModuleInit {
  private readonly counters = { received: 0, begun: 0, refused: 0 };

  constructor(
    private readonly acl: Acl,
    private readonly transactions: Transactions,
    private readonly producer: Producer,
    private readonly configWatch: ConfigWatch,
    private readonly adapterHost: HttpAdapterHost,
    private readonly clock: Clock,
    stats: Stats,
  ) {
    stats.register('transactionDoorStats', () => this.counters);
  }

  onModuleInit(): void {
    openV1Scope(this.adapterHost, this.configWatch, (scope) => {
      scope.route({
        method: 'POST',
        url: transactionsPath,
        constraints: mainListener,
        handler: (request, reply) => this.post(request, reply),
      });
      refuseOtherMethods(scope, transactionsPath, ['POST'], refuseMethod);
    });
  }

  private async post(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    this.counters.received += 1;
    if (!this.transactions.isEnabled) return this.refuse(reply, switchedOff);
    const found = callerOf(this.acl, request);
    const caller = found instanceof Promise ? await found : found;
    if (caller === null) return this.refuse(reply, problemOf('unauthorized', 'a name and its secret are needed'));
    const throttle = caller.admit();
    if (throttle !== null) {
      this.counters.refused += 1;
      return sendThrottled(reply, throttle);
    }
    const nowMs = this.clock.now();
    const form = this.formOf(request, caller, nowMs);
    if ('code' in form) return this.refuse(reply, form);
    try {
      return await this.begin(request, reply, form, caller, nowMs);
    } catch (error) {
      this.counters.refused += 1;
      return sendError(reply, error);
    }
  }

  private async begin(
    request: FastifyRequest,
    reply: FastifyReply,
    form: TransactionDraft,
    caller: AclEntry,
    nowMs: number,
  ): Promise<FastifyReply> {
    const { checkUrls, firstCheckMs, idempotencyKey } = form;
    const messages = halfMessagesOf(form, caller, nowMs);
    const body = (request.body as Buffer | undefined) ?? nothing;
    const once = idempotencyKey === null ? null : onceKeyOf(caller.name, idempotencyKey, [transactionsPath, body]);
    const { id, durability, isReplay } = await this.transactions.begin({
      messages,
      caller: caller.name,
      checkUrls,
      firstCheckMs,
      once,
    });
    if (once !== null) reply.header(idempotencyScopeHeader, this.producer.idempotencyScope);
    if (isReplay) reply.header(replayedHeader, 'true');
    this.counters.begun += 1;
    const begun = isReplay ? await this.transactions.messagesOf(id) : messages;
    const word = durabilityWord(durability);
    return reply
      .status(201)
      .header('location', `${transactionsPath}/${id}`)
      .header(durabilityHeader, word)
      .header('content-type', 'application/json; charset=utf-8')
      .send(JSON.stringify({ id, durability: word, messages: begun.map(idOf) }));
  }

  private formOf(request: FastifyRequest, caller: AclEntry, nowMs: number): TransactionDraft | Problem {
    const { headers, raw, body } = request;
    const mediaType = (contentTypeOf(raw)?.split(';', 1)[0] ?? '').trim().toLowerCase();
    if (!jsonTypes.includes(mediaType))
      return problemOf('unsupported-media-type', `${jsonTypes.join(' or ')} is needed`);
    const json = jsonObjectOf((body as Buffer | undefined) ?? nothing);
    if (json === null)
      return problemOf('invalid-request', 'the body is no JSON object in UTF-8', [
        { detail: 'a JSON object is needed', pointer: '#' },
      ]);
    const faults: Fault[] = [];
    const { settings } = this.configWatch;
    const written = readTransactionForm(json, faults);
    const form = transactionDraftOf(written, caller, settings.transaction, nowMs, faults);
    const idempotencyKey = keyInHeaders(headers, form, faults);
    faults.push(...strangeHeaders(headers));
    if (faults.length > 0) return problemOf('invalid-request', detailOf(faults), faults);
    return forbiddenIn(form, caller, settings) ?? { ...form, idempotencyKey };
  }

  private refuse(reply: FastifyReply, problem: Problem): FastifyReply {
    this.counters.refused += 1;
    return sendProblem(reply, problem);
  }
}

const idOf = ({ headers }: HalfMessage) => ({ id: headers[messageHeader.id] });

/** The body's wins. */
function keyInHeaders(headers: FastifyRequest['headers'], form: TransactionDraft, faults: Fault[]): string | null {
  const header = headers['idempotency-key'];
  if (form.idempotencyKey !== null || header === undefined) return form.idempotencyKey;
  const key = idempotencyKeyOf(String(header));
  if (key === null) faults.push({ detail: 'it is no idempotency key', header: 'idempotency-key' });
  return key;
}

function strangeHeaders(headers: FastifyRequest['headers']): Fault[] {
  const faults = Object.keys(headers)
    .filter((name) => name.startsWith('bigpipe-'))
    .map((header) => ({ detail: 'in a transaction it belongs into each message', header }));
  const waits = waitMsIn(headers.prefer) > 0;
  if (!waits) return faults;
  return [...faults, { detail: 'nobody can wait for the answer to a message that is not sent yet', header: 'prefer' }];
}
