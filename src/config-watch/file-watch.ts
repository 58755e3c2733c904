// Tells when the configuration's files have changed: by what the system reports, and by a slow look as a safety net.
import { type FSWatcher, lstatSync, readlinkSync, statSync, watch } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Clock, Timer } from '../message/clock.js';
import { textOf } from '../message/errors.js';

/** Files must have stood still for so long: editors and copies write in several steps. */
const settleMs = 100;
/** What never stands still is read all the same after so many looks. */
const maxLooks = 50;
/** For what the system does not report: network mounts, a directory that was replaced, too few watches. */
const pollMs = 5000;
const maxLinks = 16;

export interface WatchedFiles {
  /** As configured: a file, a link to one, or a directory. */
  readonly path: string;
  /** Every file that is read; asked at each look. */
  files(): readonly string[];
}

export class FileWatch {
  private watchers: FSWatcher[] = [];
  private settling: Timer | null = null;
  private poll: Timer | null = null;
  private looks = 0;
  /** The files as they were when `changed` was last called, and at the last look. */
  private taken: string;
  private seen: string;
  private closed = false;

  /** Make it before the files are read for the first time: what changes after this is told. */
  constructor(
    private readonly watched: WatchedFiles,
    private readonly clock: Clock,
    private readonly changed: () => void,
    private readonly report: (text: string) => void,
  ) {
    this.taken = this.fingerprint();
    this.seen = this.taken;
  }

  start(): void {
    this.arm();
    this.look();
    this.pollLater();
  }

  /** Nothing is told after it. Twice is fine. */
  close(): void {
    this.closed = true;
    this.settling?.cancel();
    this.poll?.cancel();
    this.disarm();
  }

  private pollLater(): void {
    this.poll = this.clock.setTimer(pollMs, () => {
      this.lookSoon();
      this.pollLater();
    });
  }

  private lookSoon(): void {
    if (this.closed || this.settling !== null) return;
    this.settling = this.clock.setTimer(settleMs, () => {
      this.settling = null;
      this.look();
    });
  }

  private look(): void {
    const now = this.fingerprint();
    if (now === this.taken) {
      this.looks = 0;
      this.seen = now;
      return;
    }
    if (now !== this.seen && this.looks < maxLooks) {
      this.looks += 1;
      this.seen = now;
      this.lookSoon();
      return;
    }
    this.looks = 0;
    this.seen = now;
    this.taken = now;
    // A link may point elsewhere now.
    this.arm();
    this.changed();
  }

  /** Differs whenever one of the files does, or is another file. */
  private fingerprint(): string {
    return this.watched
      .files()
      .map((file) => `${file} ${stateOf(file)}`)
      .join('\n');
  }

  private arm(): void {
    this.disarm();
    for (const directory of watchedDirectories(this.watched.path)) {
      try {
        const watcher = watch(directory, { persistent: false }, () => this.lookSoon());
        watcher.on('error', (error) => {
          watcher.close();
          this.unwatched(directory, error);
        });
        this.watchers.push(watcher);
      } catch (error) {
        this.unwatched(directory, error);
      }
    }
  }

  private disarm(): void {
    for (const watcher of this.watchers.splice(0)) watcher.close();
  }

  private unwatched(directory: string, error: unknown): void {
    this.report(`${directory} cannot be watched, it is looked at every ${pollMs} ms: ${textOf(error)}`);
  }
}

function stateOf(file: string): string {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
    return `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`;
  } catch (error) {
    return `${(error as NodeJS.ErrnoException).code}`;
  }
}

/** A directory sees its files replaced, renamed and written; a file sees only its own end. */
function watchedDirectories(path: string): Set<string> {
  const directories = new Set<string>();
  try {
    let at = resolve(path);
    for (let links = 0; links < maxLinks; links += 1) {
      directories.add(dirname(at));
      const stat = lstatSync(at);
      if (stat.isDirectory()) directories.add(at);
      if (!stat.isSymbolicLink()) break;
      at = resolve(dirname(at), readlinkSync(at));
    }
  } catch {
    // Something is not there at this moment; the directories so far see it come.
  }
  return directories;
}
