// From a caller's draft to the message that is stored, if the caller may send it.
import type { AclEntry } from '../../acl/acl-entry.js';
import type { Settings } from '../../config-watch/settings.js';
import { egressRulesOf } from '../../message/egress-rules.js';
import { type Message, messageHeader } from '../../message/message.js';
import { newMessageId } from '../../message/message-id.js';
import { againstCallback } from '../callback-url.js';
import { hasTopic } from '../known-topics.js';
import type { Draft, Written } from './draft.js';
import { type Fault, type Problem, problemOf } from './problem.js';

/** What is not allowed, each with its place; null when all of it is. */
export function forbiddenOf(
  { topic, url, callbackUrl }: Draft,
  caller: AclEntry,
  settings: Settings,
  placeOf: Written['placeOf'],
): Problem | null {
  const faults: Fault[] = [];
  const { egress } = settings;
  if (topic !== null && !(hasTopic(settings, topic) && caller.mayWrite(topic))) {
    faults.push({ detail: 'there is no such topic for this caller', ...placeOf('topic') });
  }
  if (url !== null && !caller.mayCall(url)) {
    faults.push({ detail: 'this caller may not call that URL', ...placeOf('url') });
  } else if (url !== null) {
    // What only the look-up of a name can tell is told by a dead letter.
    const against = egressRulesOf(egress).againstUrl(url);
    if (against !== null) faults.push({ detail: against, ...placeOf('url') });
  }
  const againstIt = callbackUrl === null ? null : againstCallback(callbackUrl, caller, egress);
  if (againstIt !== null) faults.push({ detail: againstIt, ...placeOf('callback_url') });
  return faults.length === 0 ? null : problemOf('forbidden', 'the caller may not send this', faults);
}

export function messageOf(draft: Draft, caller: AclEntry, nowMs: number): Message {
  const { topic, key, body, headers, id } = draft;
  headers[messageHeader.id] = id ?? newMessageId(nowMs);
  headers[messageHeader.acl] = caller.name;
  return { topic: topic ?? caller.topic, key, body, headers };
}
