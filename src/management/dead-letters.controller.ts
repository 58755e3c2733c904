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
import type { DeadLetterBox, LetterRange } from '../dispatcher/dead-letters/dead-letter-box.js';
import type { Redrive, RedriveOrder, RedriveReport } from '../dispatcher/dead-letters/redrive.js';
import { Dispatcher } from '../dispatcher/dispatcher.js';
import type { GroupRunner } from '../dispatcher/group-runner.js';
import { historyOf, withoutHistory } from '../message/dead-letter.js';
import { managementListener } from '../message/listener.js';
import { messageHeader, type StoredMessage } from '../message/message.js';
import { rangeFields, rangeOf, refuseEmpty } from './letter-range.js';
import { optionalNumber, optionalWhole } from './query.js';

const defaultLimit = 100;
const maxLimit = 1000;
/** Of the letters that a dry run looks at. */
const dryRunLimit = 1000;
/** That are shown at most. */
const maxParkedKeys = 100;
const underWay = 'a redrive of these dead letters is under way';

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
    return this.dispatcher.subscriptions.flatMap((runner) => {
      const { topic, groupId, deadLetterTopic } = runner.subscription;
      if (runner.letters.box === null) return [];
      const partitions = runner.letters.box
        .counts()
        .map(({ partition, open, end }) => ({ partition, open: Number(open), end: `${end}` }));
      const open = partitions.reduce((sum, row) => sum + row.open, 0);
      return { topic, groupId, deadLetterTopic, open, partitions, parkedKeys: parkedKeysOf(runner) };
    });
  }

  @Get(':topic/:groupId')
  @RouteConstraints(managementListener)
  async list(@Param() place: Fields, @Query() query: Fields): Promise<{ letters: Letter[] }> {
    const { box } = this.keeperOf(place);
    const limit = optionalWhole(query, 'limit', 1, maxLimit) ?? defaultLimit;
    const letters = await box.read(rangeOf(query), limit);
    return { letters: letters.map(shown) };
  }

  @Delete(':topic/:groupId')
  @RouteConstraints(managementListener)
  async purge(@Param() place: Fields, @Query() query: Fields): Promise<{ purged: number }> {
    const { runner } = this.keeperOf(place);
    refuseUnknown(query, rangeFields);
    const purged = await runner.resending.purge(rangeOf(query));
    if (purged === null) throw new ConflictException(underWay);
    return { purged: Number(purged) };
  }

  @Post(':topic/:groupId/redrive')
  @HttpCode(202)
  @RouteConstraints(managementListener)
  async redrive(@Param() place: Fields, @Body() body: unknown): Promise<RedriveReport | object> {
    const { runner, box } = this.keeperOf(place);
    const fields = fieldsOf(body);
    refuseUnknown(fields, redriveFields);
    const { dryRun: isDry = false } = fields;
    if (typeof isDry !== 'boolean')
      throw new BadRequestException(`dryRun: found ${JSON.stringify(isDry)}, allowed: true or false`);
    const order = orderOf(fields);
    refuseEmpty(box, order.range);
    if (isDry) return dryRun(box, order.range);
    const redrive = runner.resending.startRedrive(order);
    if (redrive === null) throw new ConflictException(underWay);
    return redrive.report;
  }

  @Get(':topic/:groupId/redrive')
  @RouteConstraints(managementListener)
  report(@Param() place: Fields): RedriveReport {
    return this.redriveOf(place).report;
  }

  @Delete(':topic/:groupId/redrive')
  @RouteConstraints(managementListener)
  stop(@Param() place: Fields): RedriveReport {
    const redrive = this.redriveOf(place);
    redrive.stop('stopped by an operator');
    return redrive.report;
  }

  private redriveOf(place: Fields): Redrive {
    const { redrive } = this.keeperOf(place).runner.letters;
    if (redrive === null) throw new NotFoundException('no redrive of these dead letters since the start');
    return redrive;
  }

  private keeperOf({ topic, groupId }: Fields): { runner: GroupRunner; box: DeadLetterBox } {
    const runner = this.dispatcher.subscription(String(topic), String(groupId));
    const claim = `the topic ${String(topic)} with the group ${String(groupId)}`;
    if (runner === null) throw new NotFoundException(`no subscription of ${claim}`);
    const { box } = runner.letters;
    if (box === null) throw new NotFoundException(`dead letters are switched off for ${claim}`);
    return { runner, box };
  }
}

/** The keys whose messages wait behind a dead letter, the first of each partition. */
function parkedKeysOf({ letters }: GroupRunner): object[] {
  return letters
    .parkedKeys(maxParkedKeys)
    .map(({ sinceMs, ...row }) => ({ ...row, since: new Date(sinceMs).toISOString() }));
}

function fieldsOf(body: unknown): Fields {
  if (body === undefined || body === null || body === '') return {};
  if (typeof body !== 'object' || Array.isArray(body)) throw new BadRequestException('the body is no JSON object');
  return body as Fields;
}

const redriveFields = [...rangeFields, 'rate', 'canary', 'abortIfFailRate', 'dryRun'];

/** A misspelled bound would mean all of them. */
function refuseUnknown(fields: Fields, known: readonly string[]): void {
  const unknown = Object.keys(fields).find((name) => !known.includes(name));
  if (unknown !== undefined) throw new BadRequestException(`${unknown}: is not known, allowed: ${known.join(', ')}`);
}

/** 10 a second, a hundredth first, and no more once a fifth has failed, unless told otherwise. */
function orderOf(fields: Fields): RedriveOrder {
  return {
    range: rangeOf(fields),
    perSecond: optionalNumber(fields, 'rate', 0, 1_000_000) ?? 10,
    canary: optionalNumber(fields, 'canary', 0, 1) ?? 0.01,
    abortIfFailRate: failRateOf(fields),
  };
}

/** 0 is allowed here: stop at the first failure. */
const failRateOf = (fields: Fields) =>
  fields['abortIfFailRate'] === 0 ? 0 : (optionalNumber(fields, 'abortIfFailRate', 0, 1) ?? 0.2);

async function dryRun(box: DeadLetterBox, range: LetterRange): Promise<object> {
  const letters = await box.read(range, dryRunLimit);
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
