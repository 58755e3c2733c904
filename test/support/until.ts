// Waiting on a condition, never on a length of time.

/** Resolves with the first result that is not false, null or undefined; rejects, naming `what`, after `boundMs`. */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  boundMs = 60_000,
): Promise<Exclude<T, false | null | undefined>> {
  const end = performance.now() + boundMs;
  for (;;) {
    const result = await condition();
    if (result !== false && result !== null && result !== undefined) {
      return result as Exclude<T, false | null | undefined>;
    }
    if (performance.now() > end) throw new Error(`waited ${boundMs} ms in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
