// The user's keys about the two listeners and what may come in.
import { AnyText, dayMs, Optional, SomeOrNone, Text, Whole, WholeOrAuto } from './rules.js';

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

  /** Connections beyond it are closed at once. */
  @Whole(1, 1_000_000)
  'http.server.max.connections': number = 16_384;

  /** Milliseconds between a signal to stop, from which on /readyz fails, and the closing of the doors. */
  @Whole(0, 300_000, 'milliseconds')
  'http.server.stop.delay': number = 0;

  /** Processes of their own that calls come in at; 0: this one alone. "auto": as many as the machine has use for. */
  @WholeOrAuto(0, 64)
  'http.server.workers': number | 'auto' = 0;

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
  @SomeOrNone(['/livez', '/readyz', '/stats'])
  'management.open': string[] = ['/livez', '/readyz'];
}
