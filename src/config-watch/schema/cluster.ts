// The user's keys about nodes that ask one another: where one is reached, and how they know each other.
import { Optional, Text } from './rules.js';
import { tokenAllowed, tokenPattern } from './server.js';

export const advertisePattern = /^https?:\/\/[^\s/?#@]+$/;
export const advertiseAllowed = 'http://host:port, or https://host:port';

export class ClusterSection {
  /** What nodes that share a Kafka sign their requests to one another with, the same on all; without it none asks another. Better a reference than the secret itself. */
  @Optional()
  @Text(tokenPattern, tokenAllowed)
  'cluster.secret'?: string;

  /** Where the other nodes reach this one's main listener. When absent: http.server.host where that is one address, else the machine's first address that is not loopback. */
  @Optional()
  @Text(advertisePattern, advertiseAllowed)
  'cluster.advertise'?: string;
}
