// The user's keys about what several nodes share.
import { AnyText, Optional, Text } from './rules.js';

export const redisUrlPattern = /^rediss?:\/\/\S+$/;
export const redisUrlAllowed = 'redis://name:secret@host:6379/0, or rediss:// for TLS';

export class RedisSection {
  /** Where answers, and what nodes know of one another, are kept; each node by itself when absent. Better a reference than the secret itself. */
  @Optional()
  @Text(redisUrlPattern, redisUrlAllowed)
  'redis.url'?: string;

  /** Before every key, so that several fleets can use one Redis. */
  @AnyText()
  'redis.prefix': string = 'bigpipe:';
}
