// How often a caller wants its message tried at most.

const most = 1001;

export const deliverLimitForms = `a whole number from 1 to ${most}`;

/** Also as a text of digits; null for what is none. */
export function deliverLimitOf(value: unknown): number | null {
  const number = typeof value === 'string' && /^\d{1,4}$/.test(value) ? Number(value) : value;
  return Number.isInteger(number) && (number as number) >= 1 && (number as number) <= most ? (number as number) : null;
}
