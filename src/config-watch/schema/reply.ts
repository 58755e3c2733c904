// The user's keys about receivers' answers that callers wait for.
import { dayMs, Whole } from './rules.js';

export class ReplySection {
  /** Milliseconds for which a receiver's answer is kept for its caller. */
  @Whole(1000, dayMs, 'milliseconds')
  'reply.ttl': number = 120_000;

  /** Of an answer's body; a longer one is not passed on. */
  @Whole(0, 16_777_216, 'bytes')
  'reply.max.bytes': number = 262_144;

  /** Callers that may wait at the same moment; more are answered at once, as if they had not asked to wait. */
  @Whole(0, 1_000_000)
  'reply.max.waiting': number = 10_000;

  /** Milliseconds that a caller may wait at most; who asks for more waits so long. */
  @Whole(100, 3_600_000, 'milliseconds')
  'reply.max.wait': number = 60_000;
}
