// Moves everything that an embedded log holds to Kafka, while calls come in: topics, marks, what waits, what is dead.
import { Logger } from '@nestjs/common';
import type { Clock } from '../../message/clock.js';
import { BigpipeError, textOf } from '../../message/errors.js';
import type { Broker } from '../broker.js';
import { LogCopy } from './log-copy.js';
import type { MovableBroker } from './movable.broker.js';
import type { MovableLog } from './movable-log.js';

/** So few new messages in one round that the rest is copied within a moment. */
const fewEnough = 1000n;
/** Calls that come in faster than they are copied: the rest takes longer, and calls wait for it. */
const maxRounds = 20;

export const moveStates = ['none', 'copying', 'switching', 'moved', 'failed'] as const;
export type MoveState = (typeof moveStates)[number];

/** How a move stands. */
export interface MoveReport {
  readonly state: MoveState;
  readonly to: string | null;
  /** Messages that stand there already, of those that stand here. */
  readonly copied: string;
  readonly total: string;
  /** How long calls waited while the last ones were copied; null before. */
  readonly heldMs: number | null;
  readonly error: string | null;
}

export interface MoveOrder {
  /** Host:port, separated by commas; empty: as the settings say. */
  readonly servers: readonly string[];
  readonly shorten: (mark: bigint, metadata: string, maxBytes: number) => string;
}

interface MoveTarget {
  /** Not open yet. */
  readonly make: () => Promise<Broker>;
  readonly servers: readonly string[];
  /** Called once it is the broker in use. */
  readonly moved: () => void;
}

export interface LogMoveParts {
  readonly broker: MovableBroker;
  /** Null: this log cannot be moved. */
  readonly source: (Broker & MovableLog) | null;
  /** Throws BigpipeError. */
  readonly kafkaAt: (servers: readonly string[]) => MoveTarget;
  readonly clock: Clock;
}

export class LogMove {
  /** The bus's own. */
  readonly broker: MovableBroker;
  private readonly log = new Logger(LogMove.name);
  private readonly stop = new AbortController();
  private state: MoveState = 'none';
  private to: string | null = null;
  private error: string | null = null;
  private heldMs: number | null = null;
  private copy: LogCopy | null = null;
  private running: Promise<void> = Promise.resolve();

  constructor(private readonly parts: LogMoveParts) {
    this.broker = parts.broker;
  }

  get report(): MoveReport {
    const { state, to, copy, heldMs, error } = this;
    return { state, to, copied: `${copy?.copied ?? 0n}`, total: `${copy?.total ?? 0n}`, heldMs, error };
  }

  /** Null when there is nothing to begin: one is under way, or all is moved. Throws BigpipeError for what cannot be begun. */
  begin(order: MoveOrder): MoveReport | null {
    if (this.state === 'copying' || this.state === 'switching' || this.state === 'moved') return null;
    const { source, kafkaAt } = this.parts;
    if (source === null) throw new BigpipeError('unavailable', 'only an embedded log can be moved');
    const place = kafkaAt(order.servers);
    this.state = 'copying';
    this.to = place.servers.join(',');
    this.error = null;
    this.running = this.run(source, place, order);
    return this.report;
  }

  /** Resolves once nothing is under way any more; a copy is cut off, a switch ends. Twice is fine. */
  async close(): Promise<void> {
    this.stop.abort();
    await this.running;
  }

  private async run(source: Broker & MovableLog, { make, moved }: MoveTarget, { shorten }: MoveOrder): Promise<void> {
    const { broker, clock } = this.parts;
    this.log.log({ msg: 'the log is being moved to Kafka', to: this.to });
    let made: Broker | null = null;
    try {
      const target = await make();
      made = target;
      const copy = new LogCopy({ source, target, shorten, clock, stop: this.stop.signal });
      this.copy = copy;
      await target.open();
      let rounds = 0;
      while ((await copy.catchUp()) > fewEnough && rounds < maxRounds) rounds += 1;
      this.state = 'switching';
      const marks = async () => {
        await copy.catchUp();
        await copy.copyMarks();
      };
      const rest = async () => {
        const beginMs = clock.elapsedMs();
        await source.flushed();
        await copy.catchUp();
        await copy.narrow();
        await source.seal(`it was moved to Kafka at ${this.to}: set broker.driver to kafka`);
        this.heldMs = Math.round(clock.elapsedMs() - beginMs);
      };
      await broker.moveTo(target, marks, rest);
      moved();
      this.state = 'moved';
      this.log.log({ msg: 'the log was moved to Kafka', ...this.report });
    } catch (error) {
      this.error = textOf(error);
      const isMoved = broker.current === made;
      this.state = isMoved ? 'moved' : 'failed';
      this.log.error({ msg: 'the log could not be moved to Kafka', err: error, ...this.report });
      if (!isMoved) await made?.close();
    }
  }
}
