// Keeps one stream of events open while the page is looked at, and opens it again whenever it breaks.
import { type Api, ApiError } from './api.js';
import { EventParser } from './event-parser.js';

/** Samples come every second: a stream that is silent for so long is dead. */
const silenceMs = 10_000;
const firstPauseMs = 500;
const longestPauseMs = 5000;

export interface StreamHandlers {
  readonly event: (name: string, data: unknown) => void;
  /** Null: connected. */
  readonly broken: (why: string | null) => void;
}

export class LiveStream {
  private abort: AbortController | null = null;
  private match: string | null = null;
  private pauseMs = firstPauseMs;
  private retry: number | null = null;

  constructor(
    private readonly api: Api,
    private readonly handlers: StreamHandlers,
  ) {
    document.addEventListener('visibilitychange', () => {
      if (document.hidden) this.close();
      else this.open(this.match);
    });
  }

  /** `match`: with the destinations whose name has it; null: without them. */
  open(match: string | null): void {
    this.close();
    this.match = match;
    if (document.hidden) return;
    const abort = new AbortController();
    this.abort = abort;
    void this.read(match, abort);
  }

  close(): void {
    this.abort?.abort();
    this.abort = null;
    if (this.retry !== null) clearTimeout(this.retry);
    this.retry = null;
  }

  private async read(match: string | null, abort: AbortController): Promise<void> {
    let watchdog: number | undefined;
    const watch = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => abort.abort(), silenceMs);
    };
    try {
      watch();
      const path = match === null ? 'console/stream' : `console/stream?destinations=${encodeURIComponent(match)}`;
      const response = await this.api.open(path, { signal: abort.signal });
      const parser = new EventParser();
      for await (const text of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
        watch();
        this.pauseMs = firstPauseMs;
        this.handlers.broken(null);
        for (const { name, data } of parser.push(text)) this.handlers.event(name, JSON.parse(data));
      }
      this.again(abort, 'the connection to bigpipe has ended');
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return;
      this.again(abort, error instanceof ApiError ? error.message : 'the connection to bigpipe is broken');
    } finally {
      clearTimeout(watchdog);
    }
  }

  private again(abort: AbortController, why: string): void {
    // Closed on purpose, or replaced.
    if (this.abort !== abort) return;
    this.handlers.broken(why);
    this.retry = setTimeout(() => this.open(this.match), this.pauseMs);
    this.pauseMs = Math.min(longestPauseMs, this.pauseMs * 2);
  }
}
