// The real program inside the test, over real files and sockets, on a clock that the test moves.
import { strict as assert } from 'node:assert';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type RunningBigpipe, startBigpipe } from '#src/bigpipe.js';
import { messageHeader } from '#src/message/message.js';
import { baseConfig, baseConsumer, type Config } from './bigpipe-process.js';
import { type EmbeddedHome, embeddedHome } from './embedded.js';
import { FakeClock } from './fake-clock.js';

/** Nothing else waits for just as long, so the clock can tell how many requests are in flight by it. */
const timeoutMs = 4321;
const partitions = 8;
const appendAtOnce = 1000;
/** Between two looks at what is in flight, time stands still for so long at most. */
const settleWithinMs = 20_000;
const defaultStepMs = 5;

export interface BacklogMessage {
  readonly key: string;
  readonly url: string;
}

export interface SimulationOptions {
  /** Keys of the subscription's kafka.consumer.list entry. */
  readonly consumer: Config;
  /** Lies in the log before the program starts. */
  readonly backlog: readonly BacklogMessage[];
  /** How many requests the receivers have and will not answer before time moves on. */
  readonly held?: () => number;
  readonly clock?: FakeClock;
  /** Further keys of the configuration. */
  readonly settings?: Config;
}

/** Ends with the test: call `dispose`. */
export class SimulatedBigpipe {
  private constructor(
    readonly clock: FakeClock,
    private readonly home: EmbeddedHome,
    private readonly running: RunningBigpipe,
    private readonly held: () => number,
  ) {}

  static async start(options: SimulationOptions): Promise<SimulatedBigpipe> {
    const { consumer, backlog, held = () => 0, clock = new FakeClock(Date.now()), settings = {} } = options;
    const home = await embeddedHome();
    await fill(home, backlog);
    const file = join(home.directory, 'bigpipe.json');
    const config = baseConfig({
      'log.level': 1,
      'kafka.topics': [{ name: 'test', partitions }],
      'kafka.consumer.list': [baseConsumer({ ...consumer, timeout: timeoutMs })],
      'broker.embedded.directory': home.directory,
      ...settings,
    });
    await writeFile(file, JSON.stringify(config));
    const simulated = new SimulatedBigpipe(clock, home, await startBigpipe(file, clock), held);
    await simulated.settle();
    return simulated;
  }

  /** Where it takes calls. */
  get port(): number {
    return this.running.port;
  }

  get inFlight(): number {
    return this.clock.pendingOf(timeoutMs);
  }

  /** Moves time in small steps until `end` holds or `ms` have passed; what a step starts has ended before the next one. */
  async run(ms: number, end: () => boolean = () => false, stepMs = defaultStepMs): Promise<void> {
    for (let passed = 0; passed < ms && !end(); passed += stepMs) {
      this.clock.advance(stepMs);
      await this.settle();
    }
  }

  async dispose(): Promise<void> {
    const closed = this.running.close();
    // It waits for what is in flight, which may wait for time.
    const isClosed = closed.then(() => true);
    while (!(await Promise.race([isClosed, new Promise<false>((resolve) => setImmediate(resolve, false))]))) {
      this.clock.advance(timeoutMs);
    }
    await this.home.remove();
  }

  /** A request that is answered may start the next one, which is in flight before this looks again. */
  private async settle(): Promise<void> {
    const end = performance.now() + settleWithinMs;
    do {
      await new Promise((resolve) => setImmediate(resolve));
      assert(performance.now() < end, `${this.inFlight} requests are in flight and do not end`);
    } while (this.inFlight !== this.held());
  }
}

async function fill(home: EmbeddedHome, backlog: readonly BacklogMessage[]): Promise<void> {
  const broker = home.make({ fsync: false });
  await broker.open();
  await broker.ensureTopic({ name: 'test', partitions, retention: 'standard' });
  for (let from = 0; from < backlog.length; from += appendAtOnce) {
    const messages = backlog.slice(from, from + appendAtOnce).map(({ key, url }, i) => ({
      topic: 'test',
      key: Buffer.from(key),
      body: Buffer.from(`${from + i}`),
      headers: { [messageHeader.id]: `${from + i}`, [messageHeader.url]: url },
    }));
    await broker.append(messages, -1);
  }
  await broker.close();
}
