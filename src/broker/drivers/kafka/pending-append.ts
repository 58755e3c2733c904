// One call of append: answered when each of its messages is.
import { BigpipeError } from '../../../message/errors.js';

export class PendingAppend {
  readonly answer: Promise<readonly (bigint | null)[]>;
  private readonly offsets: (bigint | null)[] = [];
  private readonly settled: boolean[] = [];
  private open: number;
  private resolve: (offsets: readonly (bigint | null)[]) => void = () => undefined;
  private reject: (error: BigpipeError) => void = () => undefined;

  constructor(count: number) {
    this.open = count;
    for (let i = 0; i < count; i += 1) {
      this.offsets.push(null);
      this.settled.push(false);
    }
    this.answer = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  /** True the first time for each message; what comes later of it changes nothing. */
  settle(index: number, result: bigint | null | BigpipeError): boolean {
    if (this.settled[index] === true) return false;
    this.settled[index] = true;
    if (result instanceof BigpipeError) {
      this.reject(result);
      return true;
    }
    this.offsets[index] = result;
    this.open -= 1;
    if (this.open === 0) this.resolve(this.offsets);
    return true;
  }
}
