// The bodies of the newest records, since most transactions are decided within moments; the others are read from the log.

/** Some ten thousand small transactions. */
const maxBytes = 16 * 1_048_576;

export class RecentBodies {
  private readonly bodies = new Map<number, Buffer>();
  private bytes = 0;

  get(offset: number): Buffer | undefined {
    return this.bodies.get(offset);
  }

  /** The oldest go. */
  add(offset: number, body: Buffer): void {
    // A copy: it may be a part of something larger, which it would keep in memory.
    this.bodies.set(offset, Buffer.from(body));
    this.bytes += body.length;
    for (const [oldest] of this.bodies) {
      if (this.bytes <= maxBytes) return;
      this.bytes -= this.bodies.get(oldest)?.length ?? 0;
      this.bodies.delete(oldest);
    }
  }
}
