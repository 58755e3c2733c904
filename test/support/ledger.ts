// Which calls were answered, by message id, so that what arrives can be held against it.
import { Agent } from 'node:http';
import type { BigpipeProcess } from './bigpipe-process.js';
import { type CallAnswer, postCall } from './post-call.js';
import type { TargetServer } from './target-server.js';

export type Refused = CallAnswer;

export class Ledger {
  /** Answered errno 0: has to arrive. */
  readonly accepted = new Set<string>();
  /** Answered with a refusal: must not arrive. */
  readonly refused = new Map<string, Refused>();
  /** No answer came: may arrive or not. */
  readonly unknown = new Set<string>();
  private agent = new Agent({ keepAlive: true });

  /** Sends one call, its id for a body unless told otherwise, and notes the answer; true when it was accepted. */
  async call(bigpipe: BigpipeProcess, id: string, fields: Record<string, unknown>): Promise<boolean> {
    const acl = { name: 'system-1', secret: 'i am good' };
    const answer = await postCall(
      this.agent,
      bigpipe.port,
      JSON.stringify({ acl, partition_key: '', id, data: id, ...fields }),
    );
    if (answer === null || answer === 'unreachable') {
      this.unknown.add(id);
      return false;
    }
    if (answer.errno === 0) this.accepted.add(id);
    else this.refused.set(id, answer);
    return answer.errno === 0;
  }

  /** Closes the connections that are kept for later calls. */
  hangUp(): void {
    this.agent.destroy();
    this.agent = new Agent({ keepAlive: true });
  }

  allArrived(target: TargetServer): boolean {
    const counts = target.countById();
    for (const id of this.accepted) if (!counts.has(id)) return false;
    return true;
  }

  /** What went wrong: lost, repeated more than `times`, refused and yet delivered, or with a body not its own. */
  faults(target: TargetServer, times: number): string[] {
    const counts = target.countById();
    const lost = [...this.accepted].filter((id) => !counts.has(id));
    const often = [...counts].filter(([, count]) => count > times);
    const foreign = [...counts.keys()].filter((id) => !this.accepted.has(id) && !this.unknown.has(id));
    const changed = target.arrivals.filter(
      ({ headers, body }) => !body.toString().startsWith(String(headers['bigpipe-message-id'])),
    );
    return [
      ...lost.map((id) => `${id} is lost`),
      ...often.map(([id, count]) => `${id} came ${count} times`),
      ...foreign.map((id) => `${id} came although it was not accepted`),
      ...changed.map(({ headers }) => `${String(headers['bigpipe-message-id'])} came with another body`),
    ];
  }
}
