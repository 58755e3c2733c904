// The user's keys about the durable log.
import { AnyText, Flag, OneOf, Whole, WholeOrZero } from './rules.js';

const terabyte = 1_099_511_627_776;
/** Ten years. */
const longestAgeMs = 315_360_000_000;

export class BrokerSection {
  @OneOf(['embedded', 'memory', 'kafka'])
  'broker.driver': 'embedded' | 'memory' | 'kafka' = 'embedded';

  @AnyText()
  'broker.embedded.directory': string = './data';

  /** false: an answer comes before the disk has the call, and says so. */
  @Flag()
  'broker.embedded.fsync': boolean = true;

  /** What every group has settled and is older than this goes. */
  @Whole(1000, longestAgeMs, 'milliseconds')
  'broker.embedded.retention.ms': number = 86_400_000;

  /** Past this size of the log, what every group has settled goes before its age. */
  @Whole(1_048_576, 1024 * terabyte, 'bytes')
  'broker.embedded.retention.bytes': number = 8_589_934_592;

  /** Past this size appends are refused: the log never grows beyond it. 0: the disk is the bound. */
  @WholeOrZero(4_194_304, 1024 * terabyte, 'bytes')
  'broker.embedded.max.bytes': number = 0;

  /** Older than this goes even if a group has not settled it, and is counted as lost. 0: never. */
  @Whole(0, longestAgeMs, 'milliseconds')
  'broker.embedded.retention.hard.ms': number = 0;

  /** A group that has not been a member for this long no longer holds messages back. */
  @Whole(60_000, longestAgeMs, 'milliseconds')
  'broker.embedded.offsets.retention.ms': number = 604_800_000;

  /** Bytes of newest messages kept in memory, so that caught-up groups never read the disk. */
  @Whole(0, terabyte, 'bytes')
  'broker.embedded.tail.bytes': number = 33_554_432;

  /** Past this size the memory driver refuses appends. */
  @Whole(1_048_576, terabyte, 'bytes')
  'broker.memory.max.bytes': number = 268_435_456;
}
