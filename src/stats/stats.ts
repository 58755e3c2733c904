// What the process counts, gathered section by section; stats knows no module, modules know stats.

/** Returns the section's figures as JSON values; called once for each reading. */
export type ReadSection = () => object;

export class Stats {
  private readonly sections = new Map<string, ReadSection>();
  private gather: (() => Promise<Record<string, object>>) | null = null;

  /** A name may be taken once; a second module that wants it is a programming error. */
  register(name: string, read: ReadSection): void {
    if (this.sections.has(name)) throw new Error(`the stats section ${name} is registered twice`);
    this.sections.set(name, read);
  }

  /** From here on `whole` is what `gather` resolves to: the figures of other processes beside this one's. */
  gatherBy(gather: () => Promise<Record<string, object>>): void {
    this.gather = gather;
  }

  /** All sections of the whole program. */
  async whole(): Promise<Record<string, object>> {
    return this.gather === null ? this.snapshot() : this.gather();
  }

  /** All sections of this process, in the order of their names. */
  snapshot(): Record<string, object> {
    const names = [...this.sections.keys()].sort();
    return Object.fromEntries(names.map((name) => [name, (this.sections.get(name) as ReadSection)()]));
  }
}
