// /transactions: those that nobody has decided, and an operator's word on them, one or many.
import {
  BadRequestException,
  Body,
  Controller,
  Get,
  HttpCode,
  NotFoundException,
  Param,
  Post,
  Query,
} from '@nestjs/common';
import { RouteConstraints } from '@nestjs/platform-fastify';
import { textOf } from '../message/errors.js';
import { managementListener } from '../message/listener.js';
import { messageHeader } from '../message/message.js';
import type { HalfMessage } from '../transaction/half-messages.js';
import { Transactions, type TransactionView } from '../transaction/transactions.js';
import { optionalWhole } from './query.js';

const defaultLimit = 100;
const maxLimit = 1000;
const states = ['undecided', 'in-doubt', 'committing', 'committed', 'rolling-back', 'rolled-back'] as const;
const words = ['commit', 'rollback', 'check'] as const;
type Word = (typeof words)[number];

type Fields = Readonly<Record<string, unknown>>;

interface Row {
  readonly id: string;
  readonly caller: string;
  readonly state: string;
  readonly createdAt: string;
  readonly checks: number;
  readonly checkUrls: readonly string[];
  readonly nextCheckAt: string | null;
  readonly decidedBy: string | null;
  readonly decidedAt: string | null;
}

type Result = { readonly id: string; readonly state: string } | { readonly id: string; readonly error: string };

@Controller('transactions')
export class TransactionsController {
  constructor(private readonly transactions: Transactions) {}

  /** `?state=in-doubt`, `caller=NAME`, `limit=100`, `after=ID`; the oldest first. */
  @Get()
  @RouteConstraints(managementListener)
  list(@Query() query: Fields): { transactions: Row[]; after: string | null } {
    this.mustBeOn();
    const limit = optionalWhole(query, 'limit', 1, maxLimit) ?? defaultLimit;
    const after = typeof query['after'] === 'string' ? query['after'] : null;
    const found = this.transactions.list(wantedIn(query), limit, after);
    return { transactions: found.map(rowOf), after: found.length < limit ? null : (found.at(-1)?.id ?? null) };
  }

  @Get(':id')
  @RouteConstraints(managementListener)
  async show(@Param('id') id: string): Promise<Row & { messages: object[] }> {
    this.mustBeOn();
    const view = await this.transactions.find(id, null);
    if (view === null)
      throw new NotFoundException(`no transaction ${id} is known: it was never begun, or is decided too long ago`);
    const messages = await this.transactions.messagesOf(id);
    return { ...rowOf(view), messages: messages.map(messageOf) };
  }

  /** `commit`, `rollback`, or `check` to have its producer asked again. */
  @Post(':id/:word')
  @HttpCode(200)
  @RouteConstraints(managementListener)
  async one(@Param() { id, word }: Fields, @Body() body: unknown): Promise<Row> {
    this.mustBeOn();
    const view = await this.say(wordOf(word), String(id), fieldsOf(body));
    if (view === null) throw new NotFoundException(`no transaction ${String(id)} is known`);
    return rowOf(view);
  }

  /** The same of `ids`, or of all in a `state` (and of a `caller`), at most `limit`. */
  @Post(':word')
  @HttpCode(200)
  @RouteConstraints(managementListener)
  async many(@Param('word') asked: string, @Body() body: unknown): Promise<{ results: Result[] }> {
    this.mustBeOn();
    const word = wordOf(asked);
    const fields = fieldsOf(body);
    const results: Result[] = [];
    for (const id of this.idsIn(fields)) {
      try {
        const view = await this.say(word, id, fields);
        results.push(view === null ? { id, error: 'not known' } : { id, state: view.state });
      } catch (error) {
        results.push({ id, error: textOf(error) });
      }
    }
    return { results };
  }

  private say(word: Word, id: string, fields: Fields): Promise<TransactionView | null> {
    const { reason = '' } = fields;
    if (typeof reason !== 'string' || reason.length > 500)
      throw new BadRequestException('reason: allowed: a text of at most 500 characters');
    return word === 'check'
      ? this.transactions.askAgain(id, reason)
      : this.transactions.decideAsOperator(id, word, reason);
  }

  private idsIn(fields: Fields): readonly string[] {
    const { ids, state } = fields;
    if (ids === undefined && state === undefined)
      throw new BadRequestException('give ids, or a state, of those that are meant');
    if (ids === undefined) {
      const limit = optionalWhole(fields, 'limit', 1, maxLimit) ?? maxLimit;
      return this.transactions.list(wantedIn(fields), limit, null).map(({ id }) => id);
    }
    if (!Array.isArray(ids) || ids.length > maxLimit || !ids.every((id) => typeof id === 'string'))
      throw new BadRequestException(`ids: allowed: a list of at most ${maxLimit} ids`);
    return ids;
  }

  private mustBeOn(): void {
    if (!this.transactions.isEnabled)
      throw new NotFoundException('transactions are switched off (transaction.enabled)');
  }
}

function wordOf(word: unknown): Word {
  const known = words.find((one) => one === word);
  if (known === undefined) throw new NotFoundException(`${String(word)}: allowed: ${words.join(', ')}`);
  return known;
}

function wantedIn({ state, caller }: Fields): (view: TransactionView) => boolean {
  const wanted = states.find((one) => one === state);
  if (state !== undefined && wanted === undefined)
    throw new BadRequestException(`state: found ${JSON.stringify(state)}, allowed: ${states.join(', ')}`);
  return (view) => (wanted === undefined || view.state === wanted) && (caller === undefined || view.caller === caller);
}

function fieldsOf(body: unknown): Fields {
  if (body === undefined || body === null || body === '') return {};
  if (typeof body !== 'object' || Array.isArray(body)) throw new BadRequestException('the body is no JSON object');
  return body as Fields;
}

function rowOf({
  id,
  caller,
  state,
  createdMs,
  checks,
  checkUrls,
  nextCheckMs,
  decidedBy,
  decidedMs,
}: TransactionView): Row {
  const at = (unixMs: number | null) => (unixMs === null ? null : new Date(unixMs).toISOString());
  return {
    id,
    caller,
    state,
    createdAt: new Date(createdMs).toISOString(),
    checks,
    checkUrls,
    nextCheckAt: at(nextCheckMs),
    decidedBy,
    decidedAt: at(decidedMs),
  };
}

function messageOf({ topic, key, headers, body }: HalfMessage): object {
  return {
    id: headers[messageHeader.id],
    topic,
    url: headers[messageHeader.url] ?? null,
    key: key?.toString('utf8') ?? null,
    bodyBase64: body.toString('base64'),
  };
}
