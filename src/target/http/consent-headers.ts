// What an answer says of consent; of its body nothing is wanted.
import type { AnswerHeaders } from './answer-parser.js';
import type { AnswerReader } from './answer-reader.js';

export class ConsentHeaders implements AnswerReader {
  allowedOrigin: string | null = null;
  allowedRate: string | null = null;

  begin(headers: AnswerHeaders): void {
    this.allowedOrigin = textIn(headers.get('webhook-allowed-origin'));
    this.allowedRate = textIn(headers.get('webhook-allowed-rate'));
  }

  add(): boolean {
    return false;
  }

  whole(): null {
    return null;
  }
}

/** Several of them are one text that says neither. */
function textIn(value: string | undefined): string | null {
  return value === undefined ? null : value.trim();
}
