// Patterns over message types, in the syntax of RE2: no pattern and no type takes longer than their lengths allow.
import { RE2JS, RE2JSSyntaxException } from 're2js';

/** Of a pattern's text. */
export const maxPatternLength = 256;
/** Of the program it becomes: x{1000} is short and large. A type of 256 characters costs at most about 20 ms of it. */
const maxProgram = 512;

export interface TypePattern {
  matches(type: string): boolean;
}

/** `isAnchored`: it describes all of a type, not a part of it. A text instead says what is wrong with the pattern. */
export function typePatternOf(pattern: string, isAnchored: boolean): TypePattern | string {
  if (pattern.length > maxPatternLength) return `longer than ${maxPatternLength} characters`;
  try {
    const compiled = RE2JS.compile(pattern);
    if (compiled.programSize() > maxProgram) return 'it repeats too much to be matched quickly';
    return { matches: (type) => (isAnchored ? compiled.testExact(type) : compiled.test(type)) };
  } catch (error) {
    if (error instanceof RE2JSSyntaxException) return error.message;
    throw error;
  }
}
