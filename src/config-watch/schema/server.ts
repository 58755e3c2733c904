// The user's keys about the two listeners and what may come in.
import { type Acks, ackLevels } from '../../message/message.js';
import { messageIdForms } from '../settings.js';
import { AnyText, dayMs, OneOf, Optional, SomeOrNone, Text, TextList, Whole, WholeOrAuto } from './rules.js';

/** The one tells counts and destinations, the other takes any call. */
export const mainPages = ['/stats', '/rpc/server/mock', '/openapi.json', '/docs'] as const;

/** Visible ASCII: it travels in a header. */
export const tokenPattern = /^[\x21-\x7e]{16,512}$/;
export const tokenAllowed = '16 to 512 visible ASCII characters without a space';

export class ServerSection {
  /** The address that calls come in at. */
  @AnyText()
  'http.server.host': string = '0.0.0.0';

  /** 0 takes a free port. */
  @Whole(0, 65_535)
  'http.server.port': number = 10_086;

  /** Calls that may wait for the broker at the same moment, 100,000 if not set; more are told to come back later. */
  @Optional()
  @Whole(1, 10_000_000)
  'http.server.handler.channel.size'?: number;

  /** Bytes of calls that may wait for the broker at the same moment. */
  @Whole(1024, 1_099_511_627_776, 'bytes')
  'http.server.handler.channel.bytes': number = 67_108_864;

  /** The older name of http.server.handler.channel.size; the newer one wins. */
  @Optional()
  @Whole(1, 10_000_000)
  'kafka.producer.channel.size'?: number;

  /** Milliseconds in which a whole request must have come in. */
  @Whole(100, dayMs, 'milliseconds')
  'http.server.read.timeout': number = 5000;

  /** Milliseconds a connection may make no progress while an answer is under way. */
  @Whole(100, dayMs, 'milliseconds')
  'http.server.write.timeout': number = 5000;

  /** Of a call; a longer one is answered with 413. */
  @Whole(1024, 1_073_741_824, 'bytes')
  'http.server.max.body.size': number = 1_048_576;

  /** What the listener of the calls serves beside calls and probes; take out what strangers need not see. */
  @SomeOrNone(mainPages)
  'http.server.pages': (typeof mainPages)[number][] = [...mainPages];

  /** Of a request's line and headers together; past it 431. */
  @Whole(1024, 1_048_576, 'bytes')
  'http.server.max.header.size': number = 16_384;

  /** Headers of a request; more are answered with 431. */
  @Whole(10, 10_000)
  'http.server.max.headers': number = 100;

  /** Connections beyond it are closed at once. */
  @Whole(1, 1_000_000)
  'http.server.max.connections': number = 16_384;

  /** Milliseconds between a signal to stop, from which on /readyz fails, and the closing of the doors. */
  @Whole(0, 300_000, 'milliseconds')
  'http.server.stop.delay': number = 0;

  /** Processes of their own that calls come in at; 0: this one alone; beside 1 this one takes calls too. "auto": one less than there are processors. */
  @WholeOrAuto(0, 64)
  'http.server.workers': number | 'auto' = 0;

  /** Ids of messages whose caller gave none. counter: 1, 2, 3 … over all nodes, as the original demo had; needs redis.url. */
  @OneOf(messageIdForms)
  'message.ids': (typeof messageIdForms)[number] = 'ulid';

  /** The strength of POST /commit when the call does not say; the original took 1. */
  @OneOf(ackLevels)
  'commit.default.acks': Acks = -1;

  /** Topics that anybody may write to by POST /commit, without a name and a secret. */
  @TextList()
  'commit.open.topics': string[] = [];

  /** How long an idempotency key is known. */
  @Whole(1000, 2_592_000_000, 'milliseconds')
  'idempotency.ttl': number = dayMs;

  /** Keys known at the same moment, 44 to 88 bytes of memory each; beyond them the oldest are forgotten. */
  @Whole(1000, 20_000_000)
  'idempotency.max.keys': number = 1_000_000;

  /** The operator's address. Elsewhere than on loopback it must have a token. */
  @AnyText()
  'management.host': string = '127.0.0.1';

  /** 0 takes a free port. */
  @Whole(0, 65_535)
  'management.port': number = 10_087;

  /** What the operator shows as Authorization: Bearer; better a reference than the token itself. */
  @Optional()
  @Text(tokenPattern, tokenAllowed)
  'management.token'?: string;

  /** Paths of the management listener that may be read without the token. */
  @SomeOrNone(['/livez', '/readyz', '/startupz', '/stats', '/metrics'])
  'management.open': string[] = ['/livez', '/readyz', '/startupz'];
}
