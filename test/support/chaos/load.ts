// The callers: each has keys of its own and calls one after another, so that the log has every lane in its order.
import { Agent } from 'node:http';
import { postCall } from '../post-call.ts';
import type { Seeded } from '../seeded.ts';
import { bodyOf } from './call-name.ts';
import { type ChaosTopic, secret, type World } from './world.ts';

export interface LoadSettings {
  readonly callers: number;
  readonly keysOfCaller: number;
  /** Callers wait while more calls than this are accepted and not delivered. */
  readonly maxOpen: number;
  /** Calls a second, all callers together; as fast as they are answered when absent. */
  readonly perSecond?: number;
}

/** While nobody takes calls. */
const retryMs = 20;

export class Load {
  /** Answers of any kind, and calls that got none. */
  answers = 0;
  private readonly world: World;
  private readonly settings: LoadSettings;
  private agent = new Agent({ keepAlive: true });
  private isOver = false;
  private waiting = 0;
  private running: Promise<unknown> = Promise.resolve();

  constructor(world: World, settings: LoadSettings) {
    this.world = world;
    this.settings = settings;
  }

  /** True while every caller waits for deliveries: nothing goes on by itself. */
  get isHeld(): boolean {
    return this.waiting === this.settings.callers;
  }

  start(): void {
    const { callers } = this.settings;
    const random = this.world.random.part('callers');
    this.running = Promise.all(Array.from({ length: callers }, (_, i) => this.callOn(i, random.part(`${i}`))));
  }

  async stop(): Promise<void> {
    this.isOver = true;
    await this.running;
    this.agent.destroy();
  }

  /** Connections that are kept would hold up a drain. */
  hangUp(): void {
    this.agent.destroy();
    this.agent = new Agent({ keepAlive: true });
  }

  private async callOn(caller: number, random: Seeded): Promise<void> {
    const { world, settings } = this;
    const { callers, perSecond } = settings;
    const startedMs = performance.now();
    for (let calls = 0; !this.isOver; calls += 1) {
      await this.whileTooMuch();
      if (perSecond !== undefined) {
        const aheadMs = startedMs + (calls * 1000 * callers) / perSecond - performance.now();
        if (aheadMs > 1) await rest(aheadMs);
      }
      const topic = random.pick(world.settings.topics);
      const destination = random.below(world.receivers.length);
      // Half of its calls have one key, so that lanes are deep somewhere.
      const number = random.below(2) === 0 ? 0 : random.below(settings.keysOfCaller);
      // Its keyless calls have a lane of its own too: nothing is asked of their order.
      const key = random.next() < topic.keyedShare ? `k${caller}x${number}` : '';
      const isTaken = await this.callOnce(topic, destination, key);
      if (!isTaken && !this.isOver) await rest(retryMs);
    }
  }

  private async callOnce(topic: ChaosTopic, destination: number, key: string): Promise<boolean> {
    const { world } = this;
    const { books, bigpipe } = world;
    if (bigpipe === null) return false;
    const id = books.sending(topic.name, destination, key);
    const text = JSON.stringify({
      acl: { name: topic.name, secret },
      id,
      url: world.receivers[destination]?.url,
      data: bodyOf(id, world.settings.bodyBytes),
      partition_key: key,
    });
    const answer = await postCall(this.agent, bigpipe.port, text);
    this.answers += 1;
    if (answer === 'unreachable') {
      books.refusedCall(id, answer);
      return false;
    }
    if (answer === null) books.answered(id, 'unknown');
    else if (answer.errno === 0) books.answered(id, 'accepted');
    else books.refusedCall(id, answer.error ?? `${answer.status}`);
    return answer?.errno === 0;
  }

  private async whileTooMuch(): Promise<void> {
    if (this.world.books.open < this.settings.maxOpen) return;
    this.waiting += 1;
    while (!this.isOver && this.world.books.open >= this.settings.maxOpen) await rest(retryMs);
    this.waiting -= 1;
  }
}

const rest = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
