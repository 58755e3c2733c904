// What an operator has paused waits until it is resumed.
import { Injectable } from '@nestjs/common';
import { type PausePlace, Pauses } from './pauses.js';
import { type Candidate, DispatchPolicy, type Entry, free, Gate, type GateScope } from './policy.js';

@Injectable()
export class PausePolicy extends DispatchPolicy {
  constructor(private readonly pauses: Pauses) {
    super();
  }

  override open(scope: GateScope): Gate {
    return new PauseGate(this.pauses, scope);
  }
}

class PauseGate extends Gate {
  private readonly place: PausePlace;
  private readonly unlisten: () => void;

  constructor(
    private readonly pauses: Pauses,
    { subscription: { topic, groupId }, name, wake }: GateScope,
  ) {
    super();
    this.place = { topic, groupId, destination: name };
    this.unlisten = pauses.listen(this.place, wake);
  }

  override enter(_candidate: Candidate): Entry {
    const sinceMs = this.pauses.since(this.place);
    if (sinceMs === null) return free;
    return { hold: { reason: 'pause', untilMs: null, detail: `paused since ${new Date(sinceMs).toISOString()}` } };
  }

  /** The pause itself is kept elsewhere. */
  override isAtRest(): boolean {
    return true;
  }

  override adjust(): void {}

  override close(): void {
    this.unlisten();
  }
}
