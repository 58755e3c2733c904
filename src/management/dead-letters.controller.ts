// /dlq: what could not be delivered, listed, read, purged, and sent again.
import {
  BadRequestException,
  Body,
  ConflictException,
  Controller,
  Delete,
  Get,
  HttpCode,
  NotFoundException,
  Param,
  Post,
  Query,
} from '@nestjs/common';
import { RouteConstraints } from '@nestjs/platform-fastify';
import { historyOf, withoutHistory } from '../dispatcher/dead-letters/dead-letter.js';
import type { LetterRange } from '../dispatcher/dead-letters/dead-letter-box.js';
import type { RedriveOrder, RedriveReport } from '../dispatcher/dead-letters/redrive.js';
import { Dispatcher } from '../dispatcher/dispatcher.js';
import type { GroupRunner } from '../dispatcher/group-runner.js';
import { managementListener } from '../message/listener.js';
import { messageHeader, type StoredMessage } from '../message/message.js';
import { optionalNumber, optionalWhole } from './query.js';

const defaultLimit = 100;
const maxLimit = 1000;
/** Of the letters that a dry run looks at. */
const dryRunLimit = 1000;

type Fields = Readonly<Record<string, unknown>>;

interface Letter {
  readonly partition: number;
  /** Its place among the dead letters; a text, since it may pass what a JSON number holds. */
  readonly offset: string;
  readonly id: string | null;
  readonly url: string | null;
  /** As text; what is no UTF-8 is replaced. `bodyBase64` is exact. */
  readonly key: string | null;
  readonly bodyBase64: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Reason, status, answer, attempts, times, and where it was first stored. */
  readonly history: Readonly<Record<string, string>>;
}

@Controller('dlq')
export class DeadLettersController {
  constructor(private readonly dispatcher: Dispatcher) {}

  @Get()
  @RouteConstraints(managementListener)
  overview(): object[] {
    return this.dispatcher.subscriptions.map(({ subscription: { topic, groupId }, deadLetters }) => {
      const partitions = deadLetters
        .counts()
        .map(({ partition, open, end }) => ({ partition, open: Number(open), end: `${end}` }));
      return { topic, groupId, open: partitions.reduce((sum, { open }) => sum + open, 0), partitions };
    });
  }

  @Get(':topic/:groupId')
  @RouteConstraints(managementListener)
  async list(@Param() place: Fields, @Query() query: Fields): Promise<{ letters: Letter[] }> {
    const { deadLetters } = this.runnerOf(place);
    const limit = optionalWhole(query, 'limit', 1, maxLimit) ?? defaultLimit;
    const letters = await deadLetters.read(rangeOf(query), limit);
    return { letters: letters.map(shown) };
  }

  @Delete(':topic/:groupId')
  @RouteConstraints(managementListener)
  async purge(@Param() place: Fields, @Query() query: Fields): Promise<{ purged: number }> {
    const { deadLetters, redrive } = this.runnerOf(place);
    if (redrive?.report.state === 'running')
      throw new ConflictException('a redrive of these dead letters is under way');
    return { purged: Number(await deadLetters.purge(rangeOf(query))) };
  }

  @Post(':topic/:groupId/redrive')
  @HttpCode(202)
  @RouteConstraints(managementListener)
  async redrive(@Param() place: Fields, @Body() body: unknown): Promise<RedriveReport | object> {
    const runner = this.runnerOf(place);
    const fields = fieldsOf(body);
    const order = orderOf(fields);
    if (fields['dryRun'] === true) return dryRun(runner, order.range);
    const redrive = runner.startRedrive(order);
    if (redrive === null) throw new ConflictException('a redrive of these dead letters is under way');
    return redrive.report;
  }

  @Get(':topic/:groupId/redrive')
  @RouteConstraints(managementListener)
  report(@Param() place: Fields): RedriveReport {
    const { redrive } = this.runnerOf(place);
    if (redrive === null) throw new NotFoundException('no redrive of these dead letters since the start');
    return redrive.report;
  }

  @Delete(':topic/:groupId/redrive')
  @RouteConstraints(managementListener)
  stop(@Param() place: Fields): RedriveReport {
    const { redrive } = this.runnerOf(place);
    if (redrive === null) throw new NotFoundException('no redrive of these dead letters since the start');
    redrive.stop();
    return redrive.report;
  }

  private runnerOf({ topic, groupId }: Fields): GroupRunner {
    const runner = this.dispatcher.subscription(String(topic), String(groupId));
    if (runner === null)
      throw new NotFoundException(`no subscription of the topic ${String(topic)} with the group ${String(groupId)}`);
    return runner;
  }
}

function fieldsOf(body: unknown): Fields {
  if (body === undefined || body === null || body === '') return {};
  if (typeof body !== 'object' || Array.isArray(body)) throw new BadRequestException('the body is no JSON object');
  return body as Fields;
}

function rangeOf(fields: Fields): LetterRange {
  const partition = optionalWhole(fields, 'partition', 0, 1023) ?? null;
  const from = optionalWhole(fields, 'from', 0, Number.MAX_SAFE_INTEGER) ?? 0;
  const to = optionalWhole(fields, 'to', 0, Number.MAX_SAFE_INTEGER) ?? null;
  if (to !== null && to <= from) throw new BadRequestException(`to: found ${to}, allowed: above from (${from})`);
  return { partition, from: BigInt(from), to: to === null ? null : BigInt(to) };
}

/** 10 a second, a hundredth first, and no more once a fifth has failed, unless told otherwise. */
function orderOf(fields: Fields): RedriveOrder {
  return {
    range: rangeOf(fields),
    perSecond: optionalNumber(fields, 'rate', 0, 1_000_000) ?? 10,
    canary: optionalNumber(fields, 'canary', 0, 1) ?? 0.01,
    abortIfFailRate: optionalNumber(fields, 'abortIfFailRate', -1, 1) ?? 0.2,
  };
}

async function dryRun({ deadLetters }: GroupRunner, range: LetterRange): Promise<object> {
  const letters = await deadLetters.read(range, dryRunLimit);
  const byReason: Record<string, number> = {};
  for (const letter of letters) {
    const { reason = 'unknown' } = historyOf(letter.headers);
    byReason[reason] = (byReason[reason] ?? 0) + 1;
  }
  return { dryRun: true, letters: letters.length, isAll: letters.length < dryRunLimit, byReason };
}

function shown(letter: StoredMessage): Letter {
  const { partition, offset, key, body, headers } = letter;
  return {
    partition,
    offset: `${offset}`,
    id: headers[messageHeader.id] ?? null,
    url: headers[messageHeader.url] ?? null,
    key: key === null ? null : key.toString('utf8'),
    bodyBase64: body.toString('base64'),
    headers: withoutHistory(headers),
    history: historyOf(headers),
  };
}
