// An AbortController that is made once somebody listens: of thousands of windows most never have anything under way.

export class LazyAbort {
  private controller: AbortController | null = null;
  private isAborted = false;

  get aborted(): boolean {
    return this.isAborted;
  }

  get signal(): AbortSignal {
    if (this.controller === null) {
      this.controller = new AbortController();
      if (this.isAborted) this.controller.abort();
    }
    return this.controller.signal;
  }

  abort(): void {
    this.isAborted = true;
    this.controller?.abort();
  }
}
