// The user's keys about topics and who may write to them. The names are the original's, whatever the driver.
import { Type } from 'class-transformer';
import { ValidateNested } from 'class-validator';
import { AnyText, nameAllowed, namePattern, ObjectList, OneOf, Optional, Text, Whole } from './rules.js';

export class TopicEntry {
  @Text(namePattern, nameAllowed)
  name!: string;

  /** Also the modulus that chooses a key's partition. */
  @Whole(1, 1024)
  partitions!: number;
}

export class AclEntry {
  @AnyText()
  name!: string;

  @AnyText()
  secret!: string;

  /** The one topic that this name's calls go to. */
  @Text(namePattern, nameAllowed)
  topic!: string;
}

export class KafkaSection {
  /** Used by the Kafka driver only. */
  @Optional()
  @AnyText()
  'kafka.bootstrap.servers'?: string;

  @ObjectList(1)
  @ValidateNested({ each: true })
  @Type(() => TopicEntry)
  'kafka.topics'!: TopicEntry[];

  /** Used by the Kafka driver only. */
  @Whole(0, 1000)
  'kafka.producer.retries': number = 2;

  /** The strength of an append when the call does not say: -1 and 1 after the disk, 0 before it. */
  @OneOf([0, 1, -1])
  'kafka.producer.acks': 0 | 1 | -1 = -1;

  @ObjectList(0)
  @ValidateNested({ each: true })
  @Type(() => AclEntry)
  'kafka.producer.acl'!: AclEntry[];
}
