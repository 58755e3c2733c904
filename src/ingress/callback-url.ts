// Where a caller wants the receiver's answer delivered, and whether it may go there.
import type { AclEntry } from '../acl/acl-entry.js';
import type { EgressSettings } from '../config-watch/settings.js';
import { callUrlForms, parseCallUrl } from '../message/call-url.js';
import { egressRulesOf } from '../message/egress-rules.js';

export const callbackUrlForms = callUrlForms;

export const isCallbackUrl = (value: unknown): value is string =>
  typeof value === 'string' && parseCallUrl(value) !== null;

/** Why the caller may not have it called, by the same rules as any other URL; null when it may. What only a look-up can tell is told by a dead letter. */
export function againstCallback(url: string, caller: AclEntry | null, egress: EgressSettings): string | null {
  if (caller?.mayCall(url) !== true) return 'this caller may not call that URL';
  return egressRulesOf(egress).againstUrl(url);
}
