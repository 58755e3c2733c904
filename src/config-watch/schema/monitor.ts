// The user's keys about the clusters whose lag is told.
import { Type } from 'class-transformer';
import { ValidateNested } from 'class-validator';
import { saslMechanisms } from '../settings.js';
import { serversAllowed, serversPattern } from './kafka.js';
import { AnyText, Flag, nameAllowed, namePattern, ObjectList, OneOf, Optional, Text, Whole } from './rules.js';

export class MonitorClusterEntry {
  /** What /delay calls it. */
  @Text(namePattern, nameAllowed)
  name!: string;

  /** host:port of some nodes of a Kafka, separated by commas; the broker of this process when absent. */
  @Optional()
  @Text(serversPattern, serversAllowed)
  servers?: string;

  /** Whether the connections to it are encrypted. */
  @Optional()
  @Flag()
  tls?: boolean;

  /** A PEM file; the system's own authorities if absent. */
  @Optional()
  @AnyText()
  tlsCa?: string;

  /** A PEM file: the certificate that this program shows. */
  @Optional()
  @AnyText()
  tlsCert?: string;

  /** A PEM file: the key of that certificate. */
  @Optional()
  @AnyText()
  tlsKey?: string;

  /** false: whoever answers is taken for Kafka. */
  @Optional()
  @Flag()
  tlsVerify?: boolean;

  /** How this program proves who it is; not at all when absent. */
  @Optional()
  @OneOf(saslMechanisms)
  saslMechanism?: (typeof saslMechanisms)[number];

  /** As whom. */
  @Optional()
  @AnyText()
  saslUsername?: string;

  /** Better a reference to the environment or a file than the password itself. */
  @Optional()
  @AnyText()
  saslPassword?: string;
}

export class MonitorSection {
  /** Whose consumer groups /delay tells of, 32 at most. */
  @ObjectList(1)
  @ValidateNested({ each: true })
  @Type(() => MonitorClusterEntry)
  'monitor.clusters': MonitorClusterEntry[] = [Object.assign(new MonitorClusterEntry(), { name: 'bigpipe' })];

  /** Milliseconds between two looks at each of them, from which it is foreseen when a backlog is gone. */
  @Whole(1000, 600_000, 'milliseconds')
  'monitor.interval': number = 10_000;
}
