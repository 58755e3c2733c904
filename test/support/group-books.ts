// What one group got of a topic, held against what was accepted: nothing lost, each key in its order, repeats that say so.

/** A message is `KEY-NUMBER`; the numbers of a key are sent one after another. */
export type MessageName = `${string}-${number}`;

const partsOf = (name: string): [key: string, number: number] => {
  const at = name.lastIndexOf('-');
  return [name.slice(0, at), Number(name.slice(at + 1))];
};

const keptFaults = 20;

/** What was sent to the topic, by its only sender. */
export class SentBooks {
  readonly accepted = new Set<string>();
  /** Of each key, in their order. */
  readonly acceptedOf = new Map<string, number[]>();
  /** No answer came, or one that says nothing: may have been stored. */
  unknown = 0;

  accept(name: MessageName): void {
    const [key, number] = partsOf(name);
    this.accepted.add(name);
    this.acceptedOf.set(key, [...(this.acceptedOf.get(key) ?? []), number]);
  }
}

export class GroupBooks {
  /** Its receiver has said so, or was about to: nothing tells whether that came through. */
  readonly done = new Set<string>();
  readonly faults: string[] = [];
  /** By what they said of themselves. */
  readonly repeats = new Map<string, number>();
  faultCount = 0;
  private readonly seen = new Set<string>();
  /** Of each key, so far as all accepted ones are done. */
  private readonly doneTo = new Map<string, number>();
  private readonly underWay = new Map<string, number>();

  constructor(
    readonly name: string,
    private readonly sent: SentBooks,
  ) {}

  /** An attempt has come in; what is returned is called when it is over, however it ended. */
  begin(message: string, redelivery: string | undefined): () => void {
    const [key] = partsOf(message);
    const others = this.underWay.get(key) ?? 0;
    if (others > 0) this.fault(`${message} came while another message of its key was under way`);
    this.underWay.set(key, others + 1);
    this.came(message, redelivery);
    return () => this.underWay.set(key, (this.underWay.get(key) ?? 1) - 1);
  }

  came(message: string, redelivery: string | undefined): void {
    const [key, number] = partsOf(message);
    if (this.seen.has(message)) {
      if (redelivery === undefined) this.fault(`${message} came again unnamed`);
      const cause = redelivery ?? 'unnamed';
      this.repeats.set(cause, (this.repeats.get(cause) ?? 0) + 1);
      return;
    }
    this.seen.add(message);
    const owed = this.firstOwed(key);
    if (owed !== null && owed < number) this.fault(`${message} came before ${key}-${owed} was done`);
  }

  lost(): string[] {
    return [...this.sent.accepted].filter((name) => !this.done.has(name));
  }

  get text(): string {
    const repeats = [...this.repeats].map(([cause, count]) => `${cause} ${count}`).join(', ');
    const { size } = this.sent.accepted;
    return `${this.name}: ${size} accepted, ${this.lost().length} lost, ${this.faultCount} faults, repeats: ${repeats || 'none'}`;
  }

  private fault(text: string): void {
    this.faultCount += 1;
    if (this.faults.length < keptFaults) this.faults.push(text);
  }

  /** The first accepted number of the key that is not done. */
  private firstOwed(key: string): number | null {
    const numbers = this.sent.acceptedOf.get(key) ?? [];
    let at = this.doneTo.get(key) ?? 0;
    while (at < numbers.length && this.done.has(`${key}-${numbers[at]}`)) at += 1;
    this.doneTo.set(key, at);
    return numbers[at] ?? null;
  }
}
