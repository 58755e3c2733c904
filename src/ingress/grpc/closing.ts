// Tells streams, which would last as long as their callers want, that the door closes.
import { Injectable } from '@nestjs/common';

@Injectable()
export class Closing {
  private readonly streams = new Set<() => void>();
  private hasBegun = false;

  /** `end` is called once the door closes, at once if it does already; what is returned ends that. */
  tell(end: () => void): () => void {
    if (this.hasBegun) end();
    else this.streams.add(end);
    return () => this.streams.delete(end);
  }

  begin(): void {
    this.hasBegun = true;
    for (const end of this.streams) end();
    this.streams.clear();
  }
}
