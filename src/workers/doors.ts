// THE PORT over where calls come in: in this process, or in workers of its own.
import type { INestApplication } from '@nestjs/common';
import type { Adjustable } from '../config-watch/adjustable.js';
import type { Settings } from '../config-watch/settings.js';

export abstract class Doors implements Adjustable {
  abstract readonly name: string;

  /** Opens the main listener; resolves to its port. Rejects with what the system says of the address. */
  abstract open(app: INestApplication): Promise<number>;

  abstract adjust(next: Settings): void | Promise<void>;

  /**
   * Closes the listener: whoever is being answered is answered, and what was answered is stored. Within a bound; before
   * open and twice is fine.
   */
  abstract close(): Promise<void>;
}
