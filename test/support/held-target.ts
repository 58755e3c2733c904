// A receiver that keeps every request waiting until the test answers it.
import type { ServerResponse } from 'node:http';
import { TargetServer } from './target-server.js';
import { until } from './until.js';

interface HeldRequest {
  readonly id: string;
  readonly response: ServerResponse;
}

export class HeldTarget {
  /** Requests that wait for an answer. */
  private held: HeldRequest[] = [];
  /** Most that ever waited at the same moment. */
  mostHeld = 0;

  private constructor(private readonly server: TargetServer) {}

  static async start(): Promise<HeldTarget> {
    const server = await TargetServer.start();
    const target = new HeldTarget(server);
    server.script = ({ headers }, response) => target.hold(String(headers['bigpipe-message-id']), response);
    return target;
  }

  get arrivals(): TargetServer['arrivals'] {
    return this.server.arrivals;
  }

  /** Message ids of the requests that wait, in the order they came. */
  get waiting(): string[] {
    return this.held.map(({ id }) => id);
  }

  url(path = '/'): string {
    return this.server.url(path);
  }

  async untilWaiting(...ids: string[]): Promise<void> {
    await until(`${ids.join(', ')} wait at the receiver`, () => ids.every((id) => this.waiting.includes(id)));
  }

  /** Answers the request of that message. */
  answer(id: string, status = 200, headers: Record<string, string> = {}): void {
    const request = this.held.find((one) => one.id === id);
    if (request === undefined) throw new Error(`${id} does not wait at the receiver`);
    this.forget(request.response);
    request.response.writeHead(status, headers).end();
  }

  /** Answers what waits, and from now on whatever comes. */
  open(): void {
    this.server.script = (_arrival, response) => {
      response.end();
    };
    for (const id of this.waiting) this.answer(id);
  }

  async close(): Promise<void> {
    await this.server.close();
  }

  private hold(id: string, response: ServerResponse): void {
    this.held.push({ id, response });
    this.mostHeld = Math.max(this.mostHeld, this.held.length);
    response.on('close', () => this.forget(response));
  }

  private forget(response: ServerResponse): void {
    this.held = this.held.filter((one) => one.response !== response);
  }
}
