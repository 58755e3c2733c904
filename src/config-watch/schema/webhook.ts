// The user's keys about asking receivers for their consent.
import { dayMs, Optional, Text, Whole } from './rules.js';

/** Letters, digits and hyphens between dots, as a receiver would compare it. */
const dnsName =
  /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/;

export class WebhookSection {
  /** The DNS name under which this bigpipe asks for consent, the same for all of its nodes; needed where an entry has "handshake": "required". */
  @Optional()
  @Text(dnsName, 'a DNS name, as events.example.com')
  'webhook.origin'?: string;

  /** How long a receiver's consent holds; it is asked anew in the last tenth of it. */
  @Whole(1000, 366 * dayMs, 'milliseconds')
  'webhook.consent.ttl': number = dayMs;
}
