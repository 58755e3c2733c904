// What the process counts, gathered section by section; stats knows no module, modules know stats.
import type { Steps } from '../message/steps.js';

/** Returns the section's figures as JSON values; called once for each reading, which goes in steps where there may be many. */
export type ReadSection = (steps: Steps) => object | Promise<object>;

export class Stats {
  private readonly sections = new Map<string, ReadSection>();
  private gather: ((steps: Steps) => Promise<Record<string, object>>) | null = null;

  /** A name may be taken once; a second module that wants it is a programming error. */
  register(name: string, read: ReadSection): void {
    if (this.sections.has(name)) throw new Error(`the stats section ${name} is registered twice`);
    this.sections.set(name, read);
  }

  /** From here on `whole` is what `gather` resolves to: the figures of other processes beside this one's. */
  gatherBy(gather: (steps: Steps) => Promise<Record<string, object>>): void {
    this.gather = gather;
  }

  /** All sections of the whole program. */
  async whole(steps: Steps): Promise<Record<string, object>> {
    return this.gather === null ? this.snapshot(steps) : this.gather(steps);
  }

  /** All sections of this process, in the order of their names. */
  async snapshot(steps: Steps): Promise<Record<string, object>> {
    const names = [...this.sections.keys()].sort();
    const figures: Record<string, object> = {};
    for await (const name of steps.through(names)) {
      figures[name] = await (this.sections.get(name) as ReadSection)(steps);
    }
    return figures;
  }
}
