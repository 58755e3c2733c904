// A subscription that was registered over HTTP: the same keys as an entry of the file, with defaults for those that the file must say.
import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';
import { collectEntry } from './contradictions.js';
import { Faults } from './faults.js';
import type { Json } from './json.js';
import { collectBackoffFault, collectFaults } from './load-settings.js';
import { SubscriptionEntry } from './schema/subscription.js';
import type { SubscriptionSettings } from './settings.js';
import { subscriptionOf } from './subscription-settings.js';
import { unknownKeysOfEntry } from './unknown-keys.js';

const defaults = { rateLimit: 1000, timeout: 10_000, retries: 10, concurrency: 'auto' } as const;

/** The settings, or everything that is wrong with the document, one line each. */
export function readSubscription(groupId: string, document: Json): SubscriptionSettings | readonly string[] {
  // Without a url its receivers are those that come with a lease.
  const isSent =
    document['url'] === undefined && document['endpoints'] === undefined && document['delivery'] !== 'pull';
  const receivers = isSent ? { endpoints: [] } : {};
  const entry = plainToInstance(
    SubscriptionEntry,
    { ...defaults, ...receivers, ...document, groupId },
    { excludePrefixes: ['__'] },
  );
  const path = 'subscription';
  const faults = new Faults();
  if (document['groupId'] !== undefined && document['groupId'] !== groupId) {
    faults.push(
      `${path}.groupId: found ${faults.shown(document['groupId'])}, allowed: ${faults.shown(groupId)}, as in the path`,
    );
  }
  // Secrets would stand in the log as they are.
  for (const key of ['signing', 'headers']) {
    if (document[key] !== undefined) faults.push(`${path}.${key}: allowed: in the configuration file only`);
  }
  collectFaults(validateSync(entry), path, faults);
  collectBackoffFault(entry, path, faults);
  if (faults.lines.length === 0) collectEntry(path, entry, faults);
  faults.push(...unknownKeysOfEntry(document, path));
  return faults.lines.length > 0 ? faults.lines : subscriptionOf(entry);
}
