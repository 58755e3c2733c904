// The faults found so far, and how a found value is shown in them.
import { Mask } from './mask.js';

export class Faults {
  readonly lines: string[] = [];

  constructor(private readonly mask = new Mask()) {}

  push(...lines: string[]): void {
    this.lines.push(...lines);
  }

  shown(value: unknown, key = ''): string {
    return this.mask.shown(value, key);
  }
}
