// The circuit breaker as a gate before each destination.
import { Injectable, Logger } from '@nestjs/common';
import { Clock, type Timer } from '../message/clock.js';
import type { Outcome } from '../message/outcome.js';
import {
  type Candidate,
  DispatchPolicy,
  type Entry,
  free,
  freePass,
  Gate,
  type GateFigures,
  type GateScope,
  type GateSettings,
  type GateState,
  type Hold,
  lowestRate,
  type Pass,
} from '../policy/policy.js';
import { type CircuitAnswer, CircuitBreaker, type CircuitState } from './circuit-breaker.js';

@Injectable()
export class CircuitBreakerPolicy extends DispatchPolicy {
  constructor(private readonly clock: Clock) {
    super();
  }

  override open(scope: GateScope): Gate {
    return new CircuitGate(this.clock, scope);
  }
}

class CircuitGate extends Gate {
  private readonly log = new Logger('Circuit');
  private circuit: CircuitBreaker | null;
  private told: CircuitState = 'closed';
  /** Ends recovering, also when nothing is sent. */
  private timer: Timer | null = null;
  private closed = false;
  private stage = -1;
  /** Of the present stage. */
  private pass: Pass = freePass;

  constructor(
    private readonly clock: Clock,
    private readonly scope: GateScope,
  ) {
    super();
    this.circuit = this.newCircuit(scope);
  }

  override enter(_candidate: Candidate): Entry {
    const { circuit } = this;
    if (circuit === null) return free;
    const answer = circuit.enter(this.clock.elapsedMs());
    this.tell(circuit);
    if (answer.kind === 'wait') return { hold: holdOf(circuit, answer) };
    if (answer.stage !== this.stage) {
      this.stage = answer.stage;
      this.pass = this.passOf(circuit, answer.stage);
    }
    return { pass: this.pass };
  }

  override adjust(settings: GateSettings): void {
    const { circuit } = settings.subscription;
    if (circuit !== null && this.circuit !== null) {
      this.circuit.adjust(circuit, lowestRate(settings), this.clock.elapsedMs());
    } else {
      this.circuit = this.newCircuit(settings);
      this.stage = -1;
      this.told = 'closed';
    }
    this.scope.wake();
  }

  override state(): GateState | null {
    const { circuit } = this;
    if (circuit === null) return null;
    const nowMs = this.clock.elapsedMs();
    circuit.advance(nowMs);
    if (circuit.state === 'closed') return null;
    const { state, reason, sinceMs, nextChangeMs } = circuit;
    const perSecond = circuit.rateAt(nowMs);
    const growth = perSecond === null ? {} : { growth: { perSecond, fullPerSecond: circuit.fullPerSecond } };
    return { state, reason, sinceMs, nextChangeMs, ...growth };
  }

  override figures(into: GateFigures): void {
    const { circuit } = this;
    if (circuit === null) return;
    const nowMs = this.clock.elapsedMs();
    circuit.advance(nowMs);
    into.circuit = circuit.state;
    into.admittedShare = circuit.shareAt(nowMs);
  }

  override isAtRest(): boolean {
    return this.circuit?.isAtRest(this.clock.elapsedMs()) ?? true;
  }

  override close(): void {
    this.closed = true;
    this.timer?.cancel();
    this.timer = null;
  }

  private newCircuit(settings: GateSettings): CircuitBreaker | null {
    const { circuit } = settings.subscription;
    return circuit === null ? null : new CircuitBreaker(circuit, lowestRate(settings), this.clock.elapsedMs());
  }

  private passOf(circuit: CircuitBreaker, stage: number): Pass {
    return {
      settle: (outcome) => {
        if (outcome.kind === 'aborted') circuit.abandon(stage);
        else circuit.settle(stage, isHealthy(outcome), this.clock.elapsedMs());
        this.tell(circuit);
        // Who waits for an answer, a probe's or one of those that are missing, may ask again.
        if (circuit.state !== 'closed') this.scope.wake();
      },
      cancel: () => circuit.cancel(stage),
    };
  }

  /** A change is told once, and whoever waits may ask again. */
  private tell(circuit: CircuitBreaker): void {
    if (circuit !== this.circuit || circuit.state === this.told) return;
    this.told = circuit.state;
    const { subscription, name } = this.scope;
    const { topic, groupId } = subscription;
    const line = {
      msg: `circuit ${circuit.state}`,
      topic,
      group: groupId,
      destination: name,
      reason: circuit.reason,
    };
    if (circuit.state === 'open') this.log.warn(line);
    else this.log.log(line);
    this.timer?.cancel();
    this.timer = circuit.state === 'recovering' && !this.closed ? this.endAt(circuit) : null;
    this.scope.wake();
  }

  private endAt(circuit: CircuitBreaker): Timer {
    const nowMs = this.clock.elapsedMs();
    return this.clock.setTimer((circuit.nextChangeMs ?? nowMs) - nowMs, () => {
      circuit.advance(this.clock.elapsedMs());
      this.tell(circuit);
    });
  }
}

/** Who answers is there, also when the answer is no: a refused message says something about the message. */
function isHealthy(outcome: Exclude<Outcome, { kind: 'aborted' }>): boolean {
  return outcome.kind !== 'retry';
}

function holdOf(circuit: CircuitBreaker, { untilMs }: Extract<CircuitAnswer, { kind: 'wait' }>): Hold {
  if (circuit.state === 'open') {
    const detail = untilMs === null ? 'open, a probe is under way' : `open: ${circuit.reason}`;
    return { reason: 'circuit', untilMs, detail };
  }
  return { reason: 'circuit', untilMs, detail: 'recovering, the rate is growing' };
}
