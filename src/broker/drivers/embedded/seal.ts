// Checksums of the log's small rows, whose damage would otherwise pass for what somebody settled.
import { crc32c } from '@node-rs/crc32';

/** Over all that a row says; the values in the order in which they are written. */
export function sealOf(...values: readonly (string | number)[]): number {
  return crc32c(JSON.stringify(values));
}
