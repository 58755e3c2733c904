// Copies a log to another one, each message to the very offset that it has: notes and marks that name offsets stay true.
import { type Clock, within } from '../../message/clock.js';
import { BigpipeError } from '../../message/errors.js';
import type { Message, StoredMessage } from '../../message/message.js';
import type { Broker, TopicPartition } from '../broker.js';
import { nothingHeader } from '../nothing.js';
import type { GroupMark, MovableLog, TopicContents } from './movable-log.js';

/** Of one append. */
const maxMessages = 1000;
const maxBytes = 1_048_576;
/** Partitions, or groups, at a time. */
const atOnce = 4;
/** To become the only member of a group. */
const joinBoundMs = 60_000;

export interface CopyParts {
  readonly source: Broker & MovableLog;
  readonly target: Broker;
  /** A mark's metadata in so many bytes: it may say less, never anything else. */
  readonly shorten: (mark: bigint, metadata: string, maxBytes: number) => string;
  readonly clock: Clock;
  readonly stop: AbortSignal;
}

export class LogCopy {
  /** Messages that stand in the other log, and that are to stand there. */
  copied = 0n;
  total = 0n;
  /** Everything below stands in the other log. */
  private readonly copiedTo = new Map<string, bigint>();

  constructor(private readonly parts: CopyParts) {}

  /** What is there now; resolves to how many messages were copied. A copy that was cut off before goes on where it ended. */
  async catchUp(): Promise<bigint> {
    const { topics } = this.parts.source.contents();
    for (const topic of topics) await this.prepare(topic);
    const before = this.copied;
    this.total = topics.reduce((sum, { ends }) => ends.reduce((all, end) => all + end, sum), 0n);
    const places = topics.flatMap(({ name, ends }) => ends.map((end, partition) => ({ topic: name, partition, end })));
    await severally(places, ({ topic, partition, end }) => this.copy({ topic, partition }, end));
    return this.copied - before;
  }

  /** Nobody may be a member of any group meanwhile. */
  async copyMarks(): Promise<void> {
    const groups = Map.groupBy(this.parts.source.contents().marks, ({ group }) => group);
    await severally([...groups], ([group, marks]) => this.copyMarksOf(group, marks));
  }

  /** Keys choose their partitions as before: among as many as were used last. */
  async narrow(): Promise<void> {
    const { source, target } = this.parts;
    for (const { name, retention, modulus, ends } of source.contents().topics) {
      if (modulus !== ends.length) await target.ensureTopic({ name, partitions: modulus, retention });
    }
  }

  private async prepare({ name, retention, ends }: TopicContents): Promise<void> {
    const { target } = this.parts;
    const missing = ends.map((_, partition) => ({ topic: name, partition })).filter((at) => !this.knows(at));
    if (missing.length === 0) return;
    await target.ensureTopic({ name, partitions: ends.length, retention });
    const rows = target.lag('', name);
    for (const place of missing) {
      const there = rows[place.partition]?.highWatermark ?? 0n;
      if (there > (ends[place.partition] ?? 0n) || !(await this.isOurs(place, there))) throw foreign(place);
      this.copiedTo.set(nameOf(place), there);
      this.copied += there;
    }
  }

  private knows(place: TopicPartition): boolean {
    return this.copiedTo.has(nameOf(place));
  }

  /** The last message that stands there is the one that stands here at its offset. */
  private async isOurs(place: TopicPartition, end: bigint): Promise<boolean> {
    if (end === 0n) return true;
    const { source, target } = this.parts;
    const last = end - 1n;
    const [here, there] = await Promise.all([source.fetch(place, last), target.fetch(place, last)]);
    const [ours, theirs] = [here.messages[0], there.messages[0]];
    // Where nothing stands nothing can be compared, nor what retention has taken here since.
    if (theirs?.offset !== last || ours?.offset !== last) return true;
    return ours.body.equals(theirs.body) && String(ours.key) === String(theirs.key);
  }

  private async copy(place: TopicPartition, end: bigint): Promise<void> {
    const { source, stop } = this.parts;
    let next = this.copiedTo.get(nameOf(place)) ?? 0n;
    while (next < end) {
      const { messages, nextOffset } = await source.fetch(place, next);
      if (nextOffset <= next) throw new BigpipeError('storage-damaged', `${nameOf(place)} cannot be read at ${next}`);
      for (const chunk of chunksOf(place, messages, next, nextOffset)) {
        if (stop.aborted) throw new BigpipeError('closed', 'the move was stopped');
        await this.append(place, chunk, next);
        next += BigInt(chunk.length);
      }
    }
  }

  private async append(place: TopicPartition, messages: readonly Message[], first: bigint): Promise<void> {
    const positions = await this.parts.target.append(messages, -1);
    const isInPlace = positions.every((position, i) => position?.offset === first + BigInt(i));
    if (!isInPlace) throw foreign(place);
    this.copied += BigInt(messages.length);
    this.copiedTo.set(nameOf(place), first + BigInt(messages.length));
  }

  private async copyMarksOf(group: string, marks: readonly GroupMark[]): Promise<void> {
    const { target, shorten, clock } = this.parts;
    const topics = [...new Set(marks.map(({ topic }) => topic))];
    const owned = new Set<string>();
    const all = Promise.withResolvers<void>();
    const member = await target.join(group, topics, {
      assigned: (membership, assignments) => {
        for (const assignment of assignments) {
          membership.pause(assignment);
          owned.add(nameOf(assignment));
        }
        if (marks.every((mark) => owned.has(nameOf(mark)))) all.resolve();
      },
      messages: () => undefined,
      revoked: () => undefined,
    });
    try {
      if (!(await within(clock, joinBoundMs, all.promise)))
        throw new BigpipeError('unavailable', `the group ${group} has other members there: stop them`);
      for (const { topic, partition, committed } of marks) {
        const metadata = shorten(committed.offset, committed.metadata, target.maxMetadataBytes);
        await member.commit({ topic, partition }, { offset: committed.offset, metadata });
      }
    } finally {
      await member.leave();
    }
  }
}

const nameOf = ({ topic, partition }: TopicPartition) => `${topic}/${partition}`;

const foreign = (place: TopicPartition) =>
  new BigpipeError(
    'storage-failed',
    `${nameOf(place)} has something else in the other log, or somebody writes there: stop who does, and remove the topics that the move has made there`,
  );

/** One after another with `atOnce` under way; the first failure is the failure. */
async function severally<T>(all: readonly T[], each: (one: T) => Promise<void>): Promise<void> {
  const rest = all.values();
  const run = async () => {
    for (const one of rest) await each(one);
  };
  await Promise.all(Array.from({ length: atOnce }, run));
}

const empty = Buffer.alloc(0);

/** Of all offsets from `from` to `to`: the messages, and nothing in the place of what retention or damage has left nothing of. */
function* chunksOf(
  place: TopicPartition,
  messages: readonly StoredMessage[],
  from: bigint,
  to: bigint,
): Generator<readonly Message[]> {
  const nothing: Message = { ...place, key: null, body: empty, headers: { [nothingHeader]: '1' } };
  let chunk: Message[] = [];
  let bytes = 0;
  let next = from;
  for (const message of [...messages, null]) {
    for (const end = message?.offset ?? to; next < end; next += 1n) {
      if (chunk.length >= maxMessages) {
        yield chunk;
        [chunk, bytes] = [[], 0];
      }
      chunk.push(nothing);
    }
    if (message === null) break;
    const { key, body, headers } = message;
    if (chunk.length >= maxMessages || (chunk.length > 0 && bytes + body.length > maxBytes)) {
      yield chunk;
      [chunk, bytes] = [[], 0];
    }
    chunk.push({ ...place, key, body, headers });
    bytes += body.length;
    next = message.offset + 1n;
  }
  if (chunk.length > 0) yield chunk;
}
