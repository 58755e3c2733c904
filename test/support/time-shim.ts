// The program's calendar clock, set at will: a library that stands before the C library's calls and adds an offset to them.
import { openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Preload } from './preload.ts';

/** The offset is eight bytes of a file that is mapped into the program, so that a jump is seen at once. */
const source = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
static volatile int64_t *offset;
static int64_t seconds(void) {
  if (offset == NULL) {
    const char *file = getenv("TIME_OFFSET");
    int fd = file == NULL ? -1 : open(file, O_RDONLY);
    void *at = fd < 0 ? MAP_FAILED : mmap(NULL, 8, PROT_READ, MAP_SHARED, fd, 0);
    static int64_t none = 0;
    offset = at == MAP_FAILED ? &none : (volatile int64_t *) at;
  }
  return *offset;
}
int clock_gettime(clockid_t id, struct timespec *ts) {
  static int (*next)(clockid_t, struct timespec *);
  if (next == NULL) next = (int (*)(clockid_t, struct timespec *)) dlsym(RTLD_NEXT, "clock_gettime");
  int result = next(id, ts);
  if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) ts->tv_sec += seconds();
  return result;
}
int gettimeofday(struct timeval *restrict tv, void *restrict tz) {
  static int (*next)(struct timeval *, void *);
  if (next == NULL) next = (int (*)(struct timeval *, void *)) dlsym(RTLD_NEXT, "gettimeofday");
  int result = next(tv, tz);
  if (result == 0 && tv != NULL) tv->tv_sec += seconds();
  return result;
}
`;

export class TimeShim {
  private readonly preload = new Preload(source);
  private readonly file = join(this.preload.directory, 'offset');
  private readonly fd = openSync(this.file, 'w+');

  /** Throws where there is no C compiler, or no Linux. */
  constructor() {
    this.setOffset(0);
  }

  /** What the program's environment needs. */
  get env(): Record<string, string> {
    return { LD_PRELOAD: this.preload.library, TIME_OFFSET: this.file };
  }

  /** Seconds from the true time on, at once. */
  setOffset(seconds: number): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(seconds));
    writeSync(this.fd, bytes, 0, 8, 0);
  }

  remove(): void {
    this.preload.remove();
  }
}
