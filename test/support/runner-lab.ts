// One subscription at work over the memory broker, with a clock and a target that the test moves.
import type { GroupHandlers, Membership } from '#src/broker/broker.js';
import { MemoryBroker } from '#src/broker/drivers/memory/memory.broker.js';
import type { SubscriptionSettings } from '#src/config-watch/settings.js';
import { GroupRunner } from '#src/dispatcher/group-runner.js';
import { newClientCounters, newConsumerCounters } from '#src/dispatcher/subscription-counters.js';
import type { BacklogCounts } from '#src/dispatcher/view/backlog.js';
import type { Explanation } from '#src/dispatcher/view/explain.js';
import { CommitMoments } from '#src/dispatcher/window/commit-moments.js';
import type { Delivery, Redelivery } from '#src/message/delivery.js';
import type { Message } from '#src/message/message.js';
import type { Outcome } from '#src/message/outcome.js';
import { deadLetterTopic } from '#src/message/side-topic.js';
import { NoTracing } from '#src/stats/tracing/tracing.js';
import { FakeClock } from './fake-clock.js';
import { newConsents, newGates } from './gates.js';
import { newMeter } from './meter.js';
import { ScriptedTarget } from './scripted-target.js';
import { newSubscription } from './subscription.js';
import { until } from './until.js';

const topic = 'orders';
const group = 'G';

export const a = 'http://a.example';
export const b = 'http://b.example';

/** An attempt as the receiver sees it. */
interface Sent {
  readonly body: string;
  readonly destination: string;
  /** The URL's. */
  readonly origin: string;
  readonly attempt: number;
  readonly redelivery: Redelivery | null;
  /** Clock.elapsedMs(). */
  readonly atMs: number;
}

class SeenTarget extends ScriptedTarget {
  readonly sent: Sent[] = [];

  constructor(private readonly clock: FakeClock) {
    super();
  }

  override send(delivery: Delivery, signal: AbortSignal): Promise<Outcome> {
    const { source, destination, url, attempt, redelivery } = delivery;
    const { origin } = url;
    this.sent.push({
      body: source.body.toString(),
      destination,
      origin,
      attempt,
      redelivery,
      atMs: this.clock.elapsedMs(),
    });
    return super.send(delivery, signal);
  }
}

export interface Running {
  readonly runner: GroupRunner;
  readonly membership: Membership;
}

export class RunnerLab {
  readonly clock = new FakeClock(1_000_000);
  readonly target = new SeenTarget(this.clock);
  readonly client = newClientCounters();
  /** Ids of messages that nobody wants any more. */
  readonly cancelled = new Set<string>();
  readonly broker = new MemoryBroker({ maxBytes: 1_000_000_000, clock: this.clock, report: () => undefined });

  readonly consents = newConsents(this.clock, this.target, { origin: 'bus.example', consentMs: 100_000 });

  /** False: nobody has told the member for long that its partitions are its own. */
  isCertain = true;

  async open(): Promise<void> {
    await this.broker.ensureTopic({ name: topic, partitions: 1, retention: 'standard' });
    await this.broker.ensureTopic({ name: deadLetterTopic(topic, group), partitions: 1, retention: 'keep' });
  }

  close(): Promise<void> {
    return this.broker.close();
  }

  async run(changes: Partial<SubscriptionSettings> = {}): Promise<Running> {
    const { clock, broker, target } = this;
    const runner = new GroupRunner(newSubscription({ topic, groupId: group, ...changes }), {
      broker,
      clock,
      moments: new CommitMoments(clock),
      gates: newGates(clock, undefined, undefined, this.consents),
      target,
      client: this.client,
      consumer: newConsumerCounters(),
      meter: newMeter(),
      tracing: new NoTracing(),
      isCancelled: (id) => this.cancelled.has(id),
      attempted: () => undefined,
      seesAll: () => false,
      passedOver: () => undefined,
      replied: () => undefined,
      report: () => undefined,
    });
    const handlers: GroupHandlers = {
      assigned: (membership, assignments) =>
        runner.assigned(
          membership,
          assignments.map((one) => ({ ...one, isOurs: () => this.isCertain && one.isOurs() })),
        ),
      messages: (_membership, batch) => runner.messages(batch),
      revoked: (_membership, partitions) => runner.revoked(partitions),
    };
    await runner.prepare();
    return { runner, membership: await broker.join(group, runner.topics, handlers) };
  }

  async append(...messages: Message[]): Promise<void> {
    await this.broker.append(messages, -1);
    await this.rest();
  }

  /** All that can happen without time has happened. */
  async rest(): Promise<void> {
    for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }

  /** Time goes by in steps, and whatever comes of each of them happens before the next. */
  async pass(ms: number, stepMs = ms): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      this.clock.advance(Math.min(stepMs, ms - passed));
      await this.rest();
    }
  }

  async end(body: string, outcome: Outcome): Promise<void> {
    this.target.end(body, outcome);
    await this.rest();
  }

  begun(count: number): Promise<true> {
    return until(`${count} attempts have begun`, () => this.target.sent.length >= count);
  }

  /** How many attempts to it are in flight. */
  bodies(destination?: string): string[] {
    return this.target.sent
      .filter((sent) => destination === undefined || sent.destination === destination)
      .map(({ body }) => body);
  }

  /** The one explanation of the message at an offset. */
  explain({ runner }: Running, offset: number): Explanation {
    const explanation = runner.view.explain(0, BigInt(offset));
    if (explanation === null) throw new Error(`${offset} is not ours`);
    return explanation;
  }

  backlog({ runner }: Running): Partial<BacklogCounts> {
    const counts = Object.entries(runner.view.backlog());
    return Object.fromEntries(counts.filter(([, count]) => count > 0));
  }

  time(inMs: number): string {
    return new Date(this.clock.now() + inMs).toISOString();
  }
}

export const call = (body: string, url = a, key: string | null = null): Message => ({
  topic,
  key: key === null ? null : Buffer.from(key),
  body: Buffer.from(body),
  headers: { 'bigpipe-url': `${url}/`, 'bigpipe-message-id': `id-${body}` },
});

export const calls = (count: number, name: string, url = a): Message[] =>
  Array.from({ length: count }, (_, i) => call(`${name}${i}`, url));
