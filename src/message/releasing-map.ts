// A map for what comes and goes: what was deleted can be collected at once, with the young.

interface Slot<V> {
  value: V | undefined;
}

/**
 * A Map of V8's is a new table after every few insertions, and the old table points to the new one. Once one of them counts as old, which
 * takes one full collection, none of its successors goes before the next full collection, nor does what stood in them when they
 * were left: of messages that come and go all, with their bodies. In these tables stand slots that were emptied.
 * Keys stay as long: no objects.
 */
export class ReleasingMap<K extends string | number | bigint, V> {
  private readonly slots = new Map<K, Slot<V>>();

  get size(): number {
    return this.slots.size;
  }

  set(key: K, value: V): void {
    const slot = this.slots.get(key);
    if (slot === undefined) this.slots.set(key, { value });
    else slot.value = value;
  }

  get(key: K): V | undefined {
    return this.slots.get(key)?.value;
  }

  has(key: K): boolean {
    return this.slots.has(key);
  }

  delete(key: K): boolean {
    const slot = this.slots.get(key);
    if (slot === undefined) return false;
    slot.value = undefined;
    return this.slots.delete(key);
  }

  clear(): void {
    for (const slot of this.slots.values()) slot.value = undefined;
    this.slots.clear();
  }

  /** In the order in which they came in. */
  keys(): MapIterator<K> {
    return this.slots.keys();
  }

  *values(): Generator<V> {
    for (const { value } of this.slots.values()) yield value as V;
  }

  *entries(): Generator<[K, V]> {
    for (const [key, { value }] of this.slots) yield [key, value as V];
  }
}
