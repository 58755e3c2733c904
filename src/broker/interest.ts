// What a member wants of a topic, said to the broker, so that it need not hand over everything.
import type { MessageHeaders } from '../message/message.js';

/** The same answer for the same message, always. Of messages that are for another group alone it is not asked. */
export interface Interest {
  /** It wants nothing but these types; null: maybe something of any type, and of messages without one. */
  readonly types: ReadonlySet<string> | null;
  /** False: it wants nothing of this type; null for messages without one. */
  wantsType(type: string | null): boolean;
  /** The type alone decides. */
  readonly isByType: boolean;
  matches(headers: MessageHeaders, body: Buffer): boolean;
}
