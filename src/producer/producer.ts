// From an accepted message to an acknowledged append.
import { Injectable, Logger } from '@nestjs/common';
import { Broker, type Durability } from '../broker/broker.js';
import type { Adjustable } from '../config-watch/adjustable.js';
import { ConfigWatch } from '../config-watch/config-watch.js';
import type { Settings, TopicLimitSettings } from '../config-watch/settings.js';
import { Clock, within } from '../message/clock.js';
import { BigpipeError, textOf } from '../message/errors.js';
import { type Acks, type Message, messageHeader, type Position, weightOf } from '../message/message.js';
import { isSampled } from '../message/sample.js';
import type { Histogram } from '../stats/metrics/histogram.js';
import { Metrics } from '../stats/metrics/metrics.js';
import { Stats } from '../stats/stats.js';
import { Tracing } from '../stats/tracing/tracing.js';
import { Admission } from './admission.js';
import { registerProducer, type TopicCounters } from './append-metrics.js';
import { traceAppends } from './append-trace.js';
import { type Claim, Idempotency, type IdempotencyScope, type OnceKey } from './idempotency.js';
import { TopicLimits } from './topic-limits.js';

/** One append of a batch takes at most so many, or one larger message. */
const maxBatchMessages = 1024;
const maxBatchBytes = 4 * 1_048_576;
/** Keys of a batch that are asked for at once. */
const maxClaims = 256;
/** How long an answer waits for the record of its idempotency key where that is written behind the message. */
const recordBoundMs = 2000;

/** A message with its id among its headers. */
export interface Offer {
  readonly message: Message;
  /** undefined: as the operator set. */
  readonly acks: Acks | undefined;
  /** null: whenever it comes it is a message of its own. */
  readonly once: OnceKey | null;
}

/** It is stored, now or, `isReplay`, when the same call came before. */
export interface Accepted {
  readonly id: string;
  readonly durability: Durability;
  readonly isReplay: boolean;
  /** How far its idempotency key is known; null where it has none. */
  readonly scope: IdempotencyScope | null;
}

type NewClaim = Extract<Claim, { kind: 'new' }>;

/** An offer that is to be appended. */
interface Entry {
  readonly offer: Offer;
  readonly at: number;
  readonly claim: NewClaim | null;
}

/** As Producer.acceptAll. */
export type AcceptKeyed = (offers: readonly Offer[]) => Promise<(Accepted | BigpipeError)[]>;

@Injectable()
export class Producer implements Adjustable {
  readonly name = 'producer';
  private readonly log = new Logger('Producer');
  /** What waits for the log, over all who append for callers. */
  readonly admission: Admission;
  private readonly topicLimits: TopicLimits;
  /** Of calls that bear an idempotency key. */
  private keyedLimits: TopicLimits;
  private partOf: (limits: readonly TopicLimitSettings[]) => readonly TopicLimitSettings[] = (limits) => limits;
  private readonly counters = new Map<string, TopicCounters>();
  private readonly appendTimes: Histogram;
  private isClosed = false;
  private keyedElsewhere: AcceptKeyed | null = null;

  constructor(
    private readonly broker: Broker,
    private readonly configWatch: ConfigWatch,
    private readonly idempotency: Idempotency,
    private readonly clock: Clock,
    private readonly tracing: Tracing,
    stats: Stats,
    metrics: Metrics,
  ) {
    const { producer } = configWatch.settings;
    this.admission = new Admission(producer.maxWaiting, producer.maxWaitingBytes);
    this.topicLimits = new TopicLimits(clock, producer.topicLimits);
    this.keyedLimits = this.topicLimits;
    this.countTopicsOf(configWatch.settings);
    stats.register('producerStats', () => Object.fromEntries(this.counters));
    this.appendTimes = registerProducer(metrics, configWatch);
  }

  /** The counters of a topic that nobody may write to any more stay until the process ends. */
  adjust(settings: Settings): void {
    const { producer } = settings;
    this.admission.adjust(producer.maxWaiting, producer.maxWaitingBytes);
    this.keyedLimits.adjust(producer.topicLimits);
    this.topicLimits.adjust(this.partOf(producer.topicLimits));
    this.countTopicsOf(settings);
  }

  /**
   * Resolves once the message is as durable as asked (`acks` undefined: as the operator set), with its position,
   * null at acks 0. Rejects with a BigpipeError: overloaded at once when too much waits already, and whatever
   * Broker.append rejects with.
   */
  async accept(message: Message, acks: Acks | undefined): Promise<Position | null> {
    const limited = this.topicLimits.take(message.topic);
    if (limited !== null) throw limited;
    const [position] = await this.append([message], [], this.levelOf(acks));
    return position ?? null;
  }

  /** Other processes take calls as well: those without an idempotency key, which come to each of them, have a part here. */
  takePart(partOf: (limits: readonly TopicLimitSettings[]) => readonly TopicLimitSettings[]): void {
    const { topicLimits } = this.configWatch.settings.producer;
    this.keyedLimits = new TopicLimits(this.clock, topicLimits);
    this.partOf = partOf;
    this.topicLimits.adjust(partOf(topicLimits));
  }

  /** From here on offers of which one bears an idempotency key go to where the keys are known. */
  handKeyed(accept: AcceptKeyed): void {
    this.keyedElsewhere = accept;
  }

  /**
   * As accept, under an idempotency key: the same call again resolves to the first one's answer. Rejects besides with
   * idempotency-in-progress and idempotency-mismatch.
   */
  async acceptOnce(offer: Offer): Promise<Accepted> {
    const [accepted] = await this.acceptAll([offer]);
    if (accepted instanceof BigpipeError) throw accepted;
    return accepted as Accepted;
  }

  /**
   * Each as acceptOnce, in as few appends as the bounds allow, those of one level in their order; resolves to what became
   * of each, in the same order. Of an append that fails none is stored, save on Kafka, where some may be.
   */
  async acceptAll(offers: readonly Offer[]): Promise<(Accepted | BigpipeError)[]> {
    if (this.keyedElsewhere !== null && offers.some(({ once }) => once !== null)) return this.keyedElsewhere(offers);
    const results: (Accepted | BigpipeError)[] = [];
    const entries: Entry[] = [];
    for (let from = 0; from < offers.length; from += maxClaims) {
      const some = offers.slice(from, from + maxClaims);
      const claims = await Promise.all(some.map(({ once }) => this.claim(once)));
      for (const [i, claimed] of claims.entries()) {
        const at = from + i;
        if (claimed instanceof BigpipeError) results[at] = claimed;
        else if (claimed === null || claimed.kind === 'new') {
          const offer = some[i] as Offer;
          const limits = offer.once === null ? this.topicLimits : this.keyedLimits;
          const limited = limits.take(offer.message.topic);
          if (limited === null) entries.push({ offer, at, claim: claimed });
          else {
            claimed?.failed();
            results[at] = limited;
          }
        } else results[at] = answerOf(claimed);
      }
    }
    for (const batch of batchesOf(entries, (acks) => this.levelOf(acks))) await this.store(batch, results);
    return results;
  }

  /**
   * All of them in one append at full strength, in their order, and behind them bigpipe's own `record`, together where the
   * broker can. Resolves to the record's position. Rejects as accept does; then some of the messages may be stored.
   */
  async acceptTogether(messages: readonly Message[], record: Message): Promise<Position | null> {
    if (this.broker.appendsTogether) return (await this.append(messages, [record], -1)).at(-1) ?? null;
    await this.append(messages, [], -1);
    const [position] = await this.broker.append([record], -1);
    return position ?? null;
  }

  get idempotencyScope(): IdempotencyScope {
    return this.idempotency.scope;
  }

  /** What success at this level means here. */
  durability(acks: Acks | undefined): Durability {
    return this.broker.durability(this.levelOf(acks));
  }

  /** Takes nothing more; resolves when everything taken was answered. */
  async drain(): Promise<void> {
    this.isClosed = true;
    await this.admission.empty();
    await this.idempotency.close();
  }

  private async claim(once: OnceKey | null): Promise<Claim | BigpipeError | null> {
    if (once === null) return null;
    if (this.isClosed) return shuttingDown();
    try {
      return await this.idempotency.claim(once);
    } catch (error) {
      return asBigpipeError(error);
    }
  }

  private async store(batch: readonly Entry[], results: (Accepted | BigpipeError)[]): Promise<void> {
    const level = this.levelOf(batch[0]?.offer.acks);
    const durability = this.broker.durability(level);
    const answers = batch.map(({ offer: { message } }) => ({
      id: message.headers[messageHeader.id] as string,
      durability,
    }));
    const keyed = batch.flatMap(({ claim }, i) =>
      claim === null ? [] : [{ claim, record: claim.record(answers[i] as (typeof answers)[number]) }],
    );
    const messages = batch.map(({ offer }) => offer.message);
    const records = keyed.map(({ record }) => record);
    // Never the record before the message: a call would be answered that was not stored.
    const isTogether = this.broker.appendsTogether && level !== 0;
    try {
      const positions = await this.append(messages, isTogether ? records : [], level);
      const places = isTogether ? positions.slice(messages.length) : await this.recordBehind(records);
      const told = keyed.map(async ({ claim }, i) => [claim, await claim.stored(places[i]?.offset ?? null)] as const);
      const scopes = new Map<Claim, IdempotencyScope>(await Promise.all(told));
      for (const [i, { at, claim }] of batch.entries()) {
        const scope = (claim && scopes.get(claim)) ?? null;
        results[at] = { ...(answers[i] as (typeof answers)[number]), isReplay: false, scope };
      }
    } catch (error) {
      for (const { claim } of keyed) claim.failed();
      for (const { at } of batch) results[at] = asBigpipeError(error);
    }
  }

  /** The messages are stored: that their keys could not be noted in time is no reason to say they are not. */
  private async recordBehind(records: readonly Message[]): Promise<readonly (Position | null)[]> {
    if (records.length === 0) return [];
    let positions: readonly (Position | null)[] = [];
    const writing = this.broker.append(records, -1).then((written) => {
      positions = written;
    });
    await within(this.clock, recordBoundMs, writing);
    return positions;
  }

  /** All at once or, with an error, none. */
  private async append(
    messages: readonly Message[],
    records: readonly Message[],
    level: Acks,
  ): Promise<readonly (Position | null)[]> {
    if (this.isClosed) throw shuttingDown();
    const weights = this.enter(messages);
    const startedMs = this.clock.elapsedMs();
    const { traced, end } = traceAppends(this.tracing, messages);
    try {
      const positions = await this.broker.append(records.length === 0 ? traced : [...traced, ...records], level);
      end(positions, null);
      this.tellStored(messages, positions);
      this.appendTimes.observe((this.clock.elapsedMs() - startedMs) / 1000);
      for (const { topic } of messages) this.count(topic, 'deliverySuccess');
      return positions;
    } catch (error) {
      end([], error);
      for (const { topic } of messages) this.count(topic, 'deliveryFail');
      throw error;
    } finally {
      for (const weight of weights) this.admission.leave(weight);
    }
  }

  /** Of a sample of the messages, which is a setting. */
  private tellStored(messages: readonly Message[], positions: readonly (Position | null)[]): void {
    const { sample } = this.configWatch.settings.log;
    if (sample === 0) return;
    for (const [i, { topic, headers }] of messages.entries()) {
      // Records of bigpipe's own have none.
      const id = headers[messageHeader.id];
      if (id === undefined || !isSampled(id, sample)) continue;
      const { partition, offset } = positions[i] ?? {};
      this.log.log({ msg: 'stored', id, topic, partition, ...(offset === undefined ? {} : { offset: `${offset}` }) });
    }
  }

  private enter(messages: readonly Message[]): readonly number[] {
    const entered: number[] = [];
    for (const message of messages) {
      const weight = weightOf(message);
      if (!this.admission.enter(weight)) {
        for (const one of entered) this.admission.leave(one);
        throw new BigpipeError('overloaded', 'too many calls wait to be stored');
      }
      entered.push(weight);
    }
    return entered;
  }

  private levelOf(acks: Acks | undefined): Acks {
    return acks ?? this.configWatch.settings.producer.acks;
  }

  private countTopicsOf({ acl, commit }: Settings): void {
    const written = acl.flatMap(({ topic, topics }) => [topic, ...topics]);
    for (const topic of [...written, ...commit.openTopics]) {
      if (!this.counters.has(topic)) this.counters.set(topic, { deliveryFail: 0, deliverySuccess: 0 });
    }
  }

  private count(topic: string, what: keyof TopicCounters): void {
    const counters = this.counters.get(topic);
    if (counters !== undefined) counters[what] += 1;
  }
}

const shuttingDown = () => new BigpipeError('closed', 'bigpipe is shutting down');

const asBigpipeError = (error: unknown) =>
  error instanceof BigpipeError ? error : new BigpipeError('internal', textOf(error), { cause: error });

function answerOf(claim: Exclude<Claim, NewClaim>): Accepted | BigpipeError {
  switch (claim.kind) {
    case 'known':
      return { ...claim.answer, isReplay: true, scope: claim.scope };
    case 'in progress':
      return new BigpipeError('idempotency-in-progress', 'a call with this idempotency key is being stored');
    case 'other payload':
      return new BigpipeError('idempotency-mismatch', 'this idempotency key belongs to a call with another payload');
  }
}

/** Of one level each. */
function batchesOf(entries: readonly Entry[], levelOf: (acks: Acks | undefined) => Acks): Entry[][] {
  const batches: Entry[][] = [];
  const open = new Map<Acks, { readonly batch: Entry[]; bytes: number }>();
  for (const entry of entries) {
    const level = levelOf(entry.offer.acks);
    const bytes = weightOf(entry.offer.message);
    const last = open.get(level);
    if (last === undefined || last.batch.length >= maxBatchMessages || last.bytes + bytes > maxBatchBytes) {
      const batch = [entry];
      batches.push(batch);
      open.set(level, { batch, bytes });
    } else {
      last.batch.push(entry);
      last.bytes += bytes;
    }
  }
  return batches;
}
