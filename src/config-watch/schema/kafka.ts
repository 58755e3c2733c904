// The user's keys about topics and who may write to them. The names are the original's, whatever the driver.
import { Type } from 'class-transformer';
import { ValidateNested } from 'class-validator';
import { kafkaCompressions, kafkaFormats, offsetStores, saslMechanisms } from '../settings.js';
import {
  AnyText,
  CallTargets,
  Flag,
  nameAllowed,
  namePattern,
  ObjectList,
  OneOf,
  Optional,
  OriginPatterns,
  Positive,
  Secret,
  SecretList,
  Text,
  TextList,
  UnlessThereIs,
  Whole,
} from './rules.js';

export const serversPattern = /^[^\s,:]+:\d{1,5}(,\s*[^\s,:]+:\d{1,5})*$/;
export const serversAllowed = 'one or more host:port, separated by commas';

export class TopicEntry {
  @Text(namePattern, nameAllowed)
  name!: string;

  /** Also the modulus that chooses a key's partition. */
  @Whole(1, 1024)
  partitions!: number;

  /** Messages a second that may be written to it, by all callers of this process together; any number when absent. */
  @Optional()
  @Positive(1_000_000)
  rateLimit?: number;

  /** How many of them may come at once after a pause; a second's worth when absent; beside a rateLimit only. */
  @Optional()
  @Whole(1, 1_000_000)
  burst?: number;
}

export class AclEntry {
  @AnyText()
  name!: string;

  /** What proves it: as it is, or only its hash; better a reference to the environment or a file. */
  @UnlessThereIs('secrets')
  @Secret()
  secret?: string;

  /** In place of secret: each of them is right, so that a new one can be given out before the old one goes. */
  @Optional()
  @SecretList()
  secrets?: string[];

  /** Where this name's calls go that name no topic. */
  @Text(namePattern, nameAllowed)
  topic!: string;

  /** Other topics that this name may write. */
  @Optional()
  @TextList()
  topics?: string[];

  /** Where this name's calls may go; anywhere when absent. */
  @Optional()
  @OriginPatterns()
  allow?: string[];

  /** Instances of this caller that are asked about its undecided transactions, unless these name others. */
  @Optional()
  @CallTargets()
  checkUrls?: string[];

  /** Groups whose messages this name may fetch (delivery: pull); none when absent. */
  @Optional()
  @TextList()
  pull?: string[];

  /** Calls a second that this name may make, on all doors together; any number when absent. */
  @Optional()
  @Positive(1_000_000)
  rateLimit?: number;

  /** How many of them may come at once after a pause; a second's worth when absent; beside a rateLimit only. */
  @Optional()
  @Whole(1, 1_000_000)
  burst?: number;
}

/** Used by the Kafka driver only, but for topics, acks and acl. */
export class KafkaSection {
  /** host:port of some nodes, separated by commas. */
  @Optional()
  @Text(serversPattern, serversAllowed)
  'kafka.bootstrap.servers'?: string;

  @AnyText()
  'kafka.client.id': string = 'bigpipe';

  @ObjectList(1)
  @ValidateNested({ each: true })
  @Type(() => TopicEntry)
  'kafka.topics'!: TopicEntry[];

  /** Of topics that bigpipe makes; 0: three, or as many as there are nodes. */
  @Whole(0, 32)
  'kafka.topics.replication.factor': number = 0;

  /** How messages are written to the topics of callers; both forms are read. */
  @OneOf(kafkaFormats)
  'kafka.message.format': (typeof kafkaFormats)[number] = 'bigpipe';

  /** Repeats of a write at acks 0 and 1; at -1 it is repeated for as long as the caller waits. */
  @Whole(0, 1000)
  'kafka.producer.retries': number = 2;

  /** After it a caller is told that Kafka does not answer. */
  @Whole(100, 300_000, 'milliseconds')
  'kafka.producer.timeout': number = 4000;

  /** While many write at once, how long a write waits for others to go with it. */
  @Whole(0, 1000, 'milliseconds')
  'kafka.producer.linger.ms': number = 1;

  @OneOf(kafkaCompressions)
  'kafka.producer.compression': (typeof kafkaCompressions)[number] = 'none';

  /** The strength of an append when the call does not say: -1 and 1 after the disk, 0 before it. */
  @OneOf([0, 1, -1])
  'kafka.producer.acks': 0 | 1 | -1 = -1;

  @ObjectList(0)
  @ValidateNested({ each: true })
  @Type(() => AclEntry)
  'kafka.producer.acl'!: AclEntry[];

  /** A process that Kafka has not heard of for so long loses its partitions to the others. */
  @Whole(6000, 300_000, 'milliseconds')
  'kafka.consumer.session.timeout': number = 10_000;

  /** Fetched messages that one group of this process may hold in memory. */
  @Whole(1_048_576, 1_073_741_824, 'bytes')
  'kafka.consumer.buffer.bytes': number = 67_108_864;

  /** What Kafka's offset.metadata.max.bytes says. */
  @Whole(256, 32_767, 'bytes')
  'kafka.consumer.metadata.bytes': number = 4096;

  /** redis: marks are kept there too, and after a crash the higher one holds; needs redis.url. */
  @OneOf(offsetStores)
  'kafka.offset.store': (typeof offsetStores)[number] = 'kafka';

  @Flag()
  'kafka.tls': boolean = false;

  /** A PEM file; the system's own authorities if absent. */
  @Optional()
  @AnyText()
  'kafka.tls.ca'?: string;

  @Optional()
  @AnyText()
  'kafka.tls.cert'?: string;

  @Optional()
  @AnyText()
  'kafka.tls.key'?: string;

  /** false: whoever answers is taken for Kafka. */
  @Flag()
  'kafka.tls.verify': boolean = true;

  @Optional()
  @OneOf(saslMechanisms)
  'kafka.sasl.mechanism'?: (typeof saslMechanisms)[number];

  @Optional()
  @AnyText()
  'kafka.sasl.username'?: string;

  @Optional()
  @AnyText()
  'kafka.sasl.password'?: string;
}
