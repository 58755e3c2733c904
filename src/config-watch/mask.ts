// What may be shown of a value: never a secret, and of a reference only the reference.

const secretKey = /(secrets?|password|passphrase|token|private.?key|authorization|cookie)$/i;
export const hidden = '***';
/** A shorter text says nothing as a part of another, and would be found everywhere. */
const shortestPart = 4;

export const isSecretKey = (key: string): boolean => secretKey.test(key);

export class Mask {
  /** From what stands in place of a reference to the reference. */
  private readonly references = new Map<string, string>();

  add(text: string, reference: string): void {
    if (text !== '') this.references.set(text, reference);
  }

  /** What the other hides is hidden here too. */
  addAll(other: Mask): void {
    for (const [text, reference] of other.references) this.references.set(text, reference);
  }

  /** A copy in which secrets are `***` and resolved references are references again. */
  apply(value: unknown, key = ''): unknown {
    if (value === undefined || value === null) return value;
    if (typeof value === 'string') {
      const whole = this.references.get(value);
      return whole ?? (isSecretKey(key) ? hidden : this.withoutParts(value));
    }
    if (isSecretKey(key)) return hidden;
    if (Array.isArray(value)) return value.map((item) => this.apply(item));
    if (typeof value !== 'object') return value;
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, this.apply(member, name)]));
  }

  /** What was found, short enough for a line. */
  shown(value: unknown, key = ''): string {
    if (value === undefined) return 'nothing';
    if (isSecretKey(key)) return 'a value that is not shown';
    const text = JSON.stringify(this.apply(value));
    return text.length > 60 ? `${text.slice(0, 57)}...` : text;
  }

  private withoutParts(text: string): string {
    let masked = text;
    for (const [secret, reference] of this.references) {
      if (secret.length >= shortestPart) masked = masked.replaceAll(secret, () => reference);
    }
    return masked;
  }
}
