// A topic with two registered groups, one with endpoints that come and go every second, one that is fetched from, while nodes are killed.
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { BigpipeProcess } from './bigpipe-process.js';
import { GroupBooks, type MessageName, SentBooks } from './group-books.js';
import { send } from './messages-door.js';
import { type Pulled, Puller, textOf } from './puller.js';
import { type ManagementAnswer, manage } from './registrations.js';
import { Seeded } from './seeded.js';
import { type Arrival, TargetServer } from './target-server.js';
import { until } from './until.js';

const endpoints = 4;
/** The last one answers when its lease may have ended. */
const slowMs = 1400;
const pullers = 3;
/** Of the messages that are fetched: kept until the lease runs out, or given back. */
const keptShare = 0.02;
const nackedShare = 0.05;
const leaseSeconds = 3;

export interface StormSettings {
  readonly nodes: readonly BigpipeProcess[];
  readonly topic: string;
  /** Of the two groups. */
  readonly push: string;
  readonly pull: string;
  readonly keys: number;
  /** Between two messages of a key. */
  readonly pauseMs: number;
  readonly seed: number;
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

export class SubscriptionStorm {
  readonly sent = new SentBooks();
  readonly books: { readonly push: GroupBooks; readonly pull: GroupBooks };
  /** Answers that nobody should get. */
  readonly surprises: string[] = [];
  /** Endpoints that came, and went: by themselves, or because they said nothing any more. */
  came = 0;
  left = 0;
  private readonly nodes: (BigpipeProcess | null)[];
  private targets: TargetServer[] = [];
  private readonly random: Seeded;
  private readonly working: Promise<unknown>[] = [];
  private isSending = true;
  private isChurning = true;
  private isOver = false;

  constructor(private readonly settings: StormSettings) {
    const { nodes, push, pull, seed } = settings;
    this.nodes = [...nodes];
    this.random = new Seeded(seed);
    this.books = { push: new GroupBooks(push, this.sent), pull: new GroupBooks(pull, this.sent) };
  }

  /** Registers the groups, and begins. */
  async start(): Promise<void> {
    const { topic, push, pull, keys } = this.settings;
    this.targets = await Promise.all(
      Array.from({ length: endpoints }, (_, i) =>
        TargetServer.start((arrival, response) => this.received(i, arrival, response)),
      ),
    );
    const patient = {
      topic,
      retries: 1000,
      retryBackoff: [5, 50],
      retryBudget: { percent: 100 },
      rateLimit: 10_000,
    };
    await this.must('PUT', push, { ...patient, choice: 'least-in-flight', timeout: 20_000, concurrency: 50 });
    await this.must('PUT', pull, { ...patient, delivery: 'pull', timeout: leaseSeconds * 1000, concurrency: 200 });
    await Promise.all([push, pull].map((group) => this.untilKnown(group)));
    for (let key = 0; key < keys; key += 1) this.working.push(this.sendKey(`k${key}`));
    for (let puller = 0; puller < pullers; puller += 1) this.working.push(this.fetch());
    this.working.push(this.churn());
  }

  /** kill -9, and the same again, on the ports that it finds free. */
  async kill(i: number): Promise<void> {
    const node = this.nodes[i] as BigpipeProcess;
    this.nodes[i] = null;
    await node.end('SIGKILL');
    this.nodes[i] = await BigpipeProcess.start({ directory: node.directory });
  }

  /** Nothing new is sent, and endpoints stay: everything comes to its end. */
  async settle(boundMs: number): Promise<void> {
    this.isSending = false;
    this.isChurning = false;
    await until('an endpoint stays', () => this.join(0, 3600), boundMs);
    const { push, pull } = this.books;
    const open = () => push.lost().length + pull.lost().length;
    await until('all that was accepted is done', () => open() === 0, boundMs).catch((error: unknown) => {
      this.surprises.push(
        `${String(error)}: ${[...push.lost().slice(0, 5), '|', ...pull.lost().slice(0, 5)].join(' ')}`,
      );
    });
    this.isOver = true;
    await Promise.all(this.working);
  }

  async close(): Promise<void> {
    this.isOver = true;
    this.isSending = false;
    this.isChurning = false;
    await Promise.all(this.nodes.map(async (node) => node?.dispose()));
    await Promise.all(this.working);
    await Promise.all(this.targets.map((target) => target.close()));
  }

  get text(): string {
    const { unknown } = this.sent;
    return `${this.books.push.text}; ${this.books.pull.text}; ${unknown} of unknown end; endpoints came ${this.came}, left ${this.left}`;
  }

  /** One that runs. */
  private get node(): BigpipeProcess | null {
    const running = this.nodes.filter((node) => node !== null);
    return running.length === 0 ? null : this.random.pick(running);
  }

  private async received(i: number, { headers, body }: Arrival, response: ServerResponse): Promise<void> {
    const name = body.toString();
    const end = this.books.push.begin(name, headers['bigpipe-redelivery'] as string | undefined);
    const closed = once(response, 'close');
    void closed.then(end);
    if (i === endpoints - 1) await Promise.race([sleep(slowMs), closed]);
    if (response.destroyed) return;
    this.books.push.done.add(name);
    response.end();
  }

  private async sendKey(key: string): Promise<void> {
    const { topic, pauseMs } = this.settings;
    for (let number = 0; this.isSending; await sleep(pauseMs)) {
      const { node } = this;
      if (node === null) continue;
      const name: MessageName = `${key}-${number}`;
      number += 1;
      const headers = { 'bigpipe-topic': topic, 'bigpipe-message-id': name, 'bigpipe-key': key };
      const answer = await send(node, headers, name).catch(() => null);
      if (answer?.status === 202) this.sent.accept(name);
      else if (answer === null || answer.status === 503) this.sent.unknown += 1;
      else this.surprises.push(`${name} was answered ${answer.status}`);
    }
  }

  /** Fetches at any node and says at any other how it went. */
  private async fetch(): Promise<void> {
    const { pull } = this.settings;
    while (!this.isOver) {
      const { node } = this;
      const got =
        node === null ? null : await this.ask(node, (puller) => puller.post('pull', { max: 5, waitSeconds: 1 }));
      if (got === null || got.status !== 200) {
        if (got !== null && got.status !== 503) this.surprises.push(`a pull of ${pull} was answered ${got.status}`);
        await sleep(20);
        continue;
      }
      const messages = got.body.messages ?? [];
      for (const message of messages) this.books.pull.came(textOf(message), message.redelivery);
      for (const message of messages) await this.answer(message);
    }
  }

  private async answer(message: Pulled): Promise<void> {
    const chance = this.random.next();
    if (chance < keptShare && !this.isOver && this.isSending) return;
    const isNacked = chance < keptShare + nackedShare && this.isSending;
    if (!isNacked) this.books.pull.done.add(textOf(message));
    const { node } = this;
    if (node === null) return;
    const told = await this.ask(node, (puller) =>
      isNacked ? puller.nack([message], { delaySeconds: 0 }) : puller.ack(message),
    );
    if (told !== null && ![200, 409, 503].includes(told.status))
      this.surprises.push(`an ack was answered ${told.status}`);
  }

  /** Null when the node has gone meanwhile. */
  private async ask<T>(node: BigpipeProcess, what: (puller: Puller) => Promise<T>): Promise<T | null> {
    return what(new Puller(node.origin, this.settings.pull)).catch(() => null);
  }

  /** Every second one comes and one goes. */
  private async churn(): Promise<void> {
    for (let round = 0; this.isChurning; round += 1) {
      await this.join(round % endpoints, this.random.pick([1, 2]));
      // The one that came before it, if it is still there.
      if (round % 2 === 1) await this.leave((round + endpoints - 1) % endpoints);
      await sleep(1000);
    }
  }

  private async join(i: number, ttlSeconds: number): Promise<boolean> {
    const url = this.targets[i]?.url('/');
    const answer = await this.manage('POST', `${this.settings.push}/endpoints`, { url, ttlSeconds });
    this.expect(answer, [200, 201], 'a lease');
    const isThere = answer !== null && answer.status < 300;
    if (isThere) this.came += 1;
    return isThere;
  }

  private async leave(i: number): Promise<void> {
    const url = encodeURIComponent(this.targets[i]?.url('/') ?? '');
    const answer = await this.manage('DELETE', `${this.settings.push}/endpoints?url=${url}`);
    this.expect(answer, [204, 404], 'leaving');
    if (answer?.status === 204) this.left += 1;
  }

  /** 503: the log does not take it now. */
  private expect(answer: ManagementAnswer | null, statuses: readonly number[], what: string): void {
    if (answer !== null && ![...statuses, 503].includes(answer.status))
      this.surprises.push(`${what} was answered ${answer.status} ${JSON.stringify(answer.body)}`);
  }

  /** Every node has read that it was registered. */
  private async untilKnown(group: string): Promise<void> {
    const isKnownAt = async (node: BigpipeProcess) => (await manage(node, 'GET', group)).status === 200;
    await until(
      `all nodes know ${group}`,
      async () => {
        const known = await Promise.all(this.settings.nodes.map(isKnownAt));
        return known.every((is) => is);
      },
      60_000,
    );
  }

  private async must(method: string, path: string, body: object): Promise<void> {
    const answer = await this.manage(method, path, body);
    if (answer === null || answer.status >= 300)
      throw new Error(`${method} ${path} was answered ${answer?.status} ${JSON.stringify(answer?.body)}`);
  }

  /** Null when the node has gone meanwhile. */
  private async manage(method: string, path: string, body?: object): Promise<ManagementAnswer | null> {
    const { node } = this;
    return node === null ? null : manage(node, method, path, body).catch(() => null);
  }
}
