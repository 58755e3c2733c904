// The settings in force, and the only way in which they change: a transaction.
import { Logger } from '@nestjs/common';
import { type Clock, within } from '../message/clock.js';
import { textOf } from '../message/errors.js';
import type { Adjustable } from './adjustable.js';
import { describeChange } from './change.js';
import type { ConfigSource } from './config-source.js';
import { FileWatch } from './file-watch.js';
import type { LoadedSettings } from './load-settings.js';
import { type Settings, SettingsError } from './settings.js';

export interface ConfigFault {
  /** When it was found first. */
  readonly sinceMs: number;
  /** One line each, without secrets. */
  readonly faults: readonly string[];
}

/** What a configuration would do: `changes` is empty when there are faults. */
export interface CheckedConfig {
  readonly faults: readonly string[];
  readonly warnings: readonly string[];
  readonly changes: readonly string[];
}

/** failed: the settings are in force, and a module could not adjust to them. */
export type ReloadEnd = 'changed' | 'unchanged' | 'refused' | 'failed';

interface Party {
  readonly adjustable: Adjustable;
  /** What it was adjusted to last. */
  settings: Settings;
  /** An adjust that took longer than it may. */
  late: Promise<unknown> | null;
}

/** What does not end by then is told as failed and no longer waited for. */
const adjustMs = 60_000;
/** A log line stays readable. */
const shownLines = 100;

export class ConfigWatch {
  private readonly parties: Party[] = [];
  private readonly counts = { reloads: 0, changed: 0, refused: 0, adjustFailed: 0 };
  private running: Promise<unknown> = Promise.resolve();
  private next: Promise<ReloadEnd> | null = null;
  private changes = 1;
  private changedAtMs: number;
  private refusal: ConfigFault | null = null;
  private misfit: ConfigFault | null = null;

  private readonly files: FileWatch;
  private loaded: LoadedSettings;
  private closed = false;

  /** Reads the settings for the first time; tells `log` of changes, refusals and failures. Throws SettingsError. */
  constructor(
    private readonly source: Pick<ConfigSource, 'path' | 'load' | 'parse' | 'files'>,
    private readonly clock: Clock,
    private readonly log: Pick<Logger, 'log' | 'warn' | 'error'> = new Logger(ConfigWatch.name),
  ) {
    this.files = new FileWatch(
      source,
      clock,
      () => void this.reload(),
      (msg) => this.log.warn({ msg }),
    );
    this.loaded = source.load();
    this.changedAtMs = clock.now();
  }

  /** From here on a change of the files is a reload, also one that came since the first reading. */
  watch(): void {
    this.warn(this.loaded.warnings, []);
    this.files.start();
  }

  /** The settings stay as they are. Before watch and twice is fine. */
  close(): void {
    this.closed = true;
    this.files.close();
  }

  /** The frozen settings; read them anew at each use, never keep a part of them. What needs a restart is as at the start. */
  get settings(): Settings {
    return this.loaded.settings;
  }

  /** What is in force in the file's own keys, defaults filled in, secrets masked. */
  get keys(): Readonly<Record<string, unknown>> {
    return this.loaded.keys.masked();
  }

  /** 1 at the start, and one more with each change. */
  get version(): number {
    return this.changes;
  }

  get loadedAtMs(): number {
    return this.changedAtMs;
  }

  get file(): string {
    return this.source.path;
  }

  /** Why the last reload was refused, or which module could not adjust to it; null once one went well. */
  get lastError(): ConfigFault | null {
    return this.refusal ?? this.misfit;
  }

  /** What the file says and only a restart brings, one line each. */
  get pendingRestart(): readonly string[] {
    return this.loaded.pendingRestart;
  }

  get counters(): Readonly<Record<string, number>> {
    return { version: this.version, ...this.counts, inError: this.lastError === null ? 0 : 1 };
  }

  /** Changes reach the modules in the order in which they were registered. */
  register(adjustable: Adjustable): void {
    this.parties.push({ adjustable, settings: this.settings, late: null });
  }

  /**
   * Read, parse, validate, ask for vetoes, swap, adjust. Whatever fails before the swap changes nothing. Never rejects.
   *
   * An adjust that fails does not take the swap back: others have adjusted already, going back would ask the module that
   * has just failed to adjust once more, and the next start would read the same file. It is logged and counted, the
   * others are adjusted all the same, and each later reload tries it again, also one that changes nothing.
   *
   * One at a time: who asks during a reload gets the one after it, which sees what is in the file by then.
   */
  reload(): Promise<ReloadEnd> {
    if (this.next !== null) return this.next;
    const next = this.running
      .then(() => {
        this.next = null;
        return this.transact();
      })
      // A fault of this program must not end it either.
      .catch((error: unknown) => this.refuse([textOf(error)]));
    this.next = next;
    this.running = next;
    return next;
  }

  /** What this text would change if it stood in the file; applies nothing. */
  check(text: string): CheckedConfig {
    const read = this.read(() => this.source.parse(text));
    if ('faults' in read) return { faults: read.faults, warnings: [], changes: [] };
    const { keys, pendingRestart, warnings } = read.loaded;
    return { faults: [], warnings, changes: [...describeChange(this.loaded.keys, keys), ...pendingRestart] };
  }

  private async transact(): Promise<ReloadEnd> {
    if (this.closed) return 'unchanged';
    this.counts.reloads += 1;
    const read = this.read(() => this.source.load());
    if ('faults' in read) return this.refuse(read.faults);
    this.refusal = null;
    const changed = this.swap(read.loaded);
    const faults = await this.adjustAll(changed);
    this.misfit = faults.length === 0 ? null : this.since(faults, this.misfit);
    if (faults.length > 0) return 'failed';
    return changed ? 'changed' : 'unchanged';
  }

  private read(load: () => LoadedSettings): { loaded: LoadedSettings } | { faults: readonly string[] } {
    let loaded: LoadedSettings;
    try {
      loaded = load();
    } catch (error) {
      return { faults: error instanceof SettingsError ? error.faults : [textOf(error)] };
    }
    const faults = this.parties.flatMap(({ adjustable }) => this.vetoesOf(adjustable, loaded.settings));
    return faults.length === 0 ? { loaded } : { faults };
  }

  private vetoesOf(adjustable: Adjustable, next: Settings): readonly string[] {
    try {
      return adjustable.veto?.(next, this.settings) ?? [];
    } catch (error) {
      return [`${adjustable.name}: ${textOf(error)}`];
    }
  }

  private refuse(faults: readonly string[]): 'refused' {
    this.counts.refused += 1;
    const known = this.refusal;
    this.refusal = this.since(faults, known);
    if (this.refusal !== known) {
      const msg = 'configuration refused, the settings stay as they were';
      this.log.error({ msg, file: this.file, version: this.version, faults: faults.slice(0, shownLines) });
    }
    return 'refused';
  }

  /** The same faults again are the known ones. */
  private since(faults: readonly string[], known: ConfigFault | null): ConfigFault {
    if (known?.faults.join('\n') === faults.join('\n')) return known;
    return { sinceMs: this.clock.now(), faults };
  }

  /** False when there is nothing new in it. */
  private swap(next: LoadedSettings): boolean {
    const current = this.loaded;
    const changes = describeChange(current.keys, next.keys);
    this.warn(next.warnings, current.warnings);
    this.warn(next.pendingRestart, current.pendingRestart);
    if (changes.length === 0) {
      // The same settings, so that nobody sees them change; but what waits for a restart may be another.
      this.loaded = { ...next, settings: current.settings };
      return false;
    }
    this.loaded = next;
    this.changes += 1;
    this.counts.changed += 1;
    this.changedAtMs = this.clock.now();
    const more = changes.length - shownLines;
    const shown = more > 0 ? [...changes.slice(0, shownLines), `and ${more} more`] : changes;
    this.log.log({ msg: 'configuration changed', file: this.file, version: this.version, changes: shown });
    return true;
  }

  private warn(lines: readonly string[], known: readonly string[]): void {
    for (const msg of lines) if (!known.includes(msg)) this.log.warn({ msg, file: this.file });
  }

  private async adjustAll(changed: boolean): Promise<string[]> {
    const faults: string[] = [];
    for (const party of this.parties) {
      // Who failed before is behind, whatever this reload changed.
      if (!changed && party.settings === this.settings) continue;
      const fault = await this.adjust(party, this.settings);
      if (fault === null) continue;
      this.counts.adjustFailed += 1;
      faults.push(fault);
    }
    return faults;
  }

  /** Null when it went well. */
  private async adjust(party: Party, next: Settings): Promise<string | null> {
    const { name } = party.adjustable;
    try {
      if (party.late !== null && !(await within(this.clock, adjustMs, party.late))) {
        throw new Error('is still busy with an earlier change');
      }
      party.late = null;
      const work = party.adjustable.adjust?.(next, party.settings);
      if (work !== undefined && !(await within(this.clock, adjustMs, work))) {
        party.late = work.catch(() => undefined);
        throw new Error(`did not end within ${adjustMs} ms`);
      }
      await work;
      party.settings = next;
      return null;
    } catch (error) {
      const msg = 'a module could not adjust to the configuration; the settings are in force all the same';
      this.log.error({ msg, module: name, version: this.version, err: error });
      return `${name} could not adjust: ${textOf(error)}`;
    }
  }
}
