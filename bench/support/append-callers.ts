// Callers that append one message after another, each waiting for its answer, and how long they waited.
import { Latencies, nowMs } from './latency.ts';
import { ownCpuSeconds } from './proc.ts';
import type { Appended } from './protocol.ts';

const users = 10_000;

/** One message of a caller: number from 1 on. Resolves once it is stored. */
export type Append = (key: Buffer, sequence: number) => Promise<unknown>;

export class AppendCallers {
  private readonly count: number;
  private readonly append: Append;
  private sequence = 0;

  constructor(count: number, append: Append) {
    this.count = count;
    this.append = append;
  }

  async run(durationMs: number): Promise<Appended> {
    const latencies = new Latencies();
    const cpuBefore = ownCpuSeconds();
    const startedMs = nowMs();
    let appended = 0;
    let endedMs = startedMs;
    const caller = async () => {
      for (let atMs = nowMs(); atMs - startedMs < durationMs; atMs = endedMs) {
        this.sequence += 1;
        await this.append(Buffer.from(`user-${this.sequence % users}`), this.sequence);
        endedMs = nowMs();
        latencies.record((endedMs - atMs) * 1000);
        appended += 1;
      }
    };
    await Promise.all(Array.from({ length: this.count }, caller));
    const cpuSeconds = ownCpuSeconds() - cpuBefore;
    return { appended, elapsedMs: endedMs - startedMs, cpuSeconds, latency: latencies.summary() };
  }
}
