// Somebody who wants more of an answer than how it ended.
import type { ReceivedAnswer } from '../../message/reply.js';
import type { AnswerHeaders } from './answer-parser.js';

export interface AnswerReader {
  /** The head has come. */
  begin(headers: AnswerHeaders): void;
  /** False when no more of the body is wanted. */
  add(chunk: Buffer): boolean;
  /** Its end has come; null when it cannot be had whole. */
  whole(status: number): ReceivedAnswer | null;
}
