// THE PORT over where calls come in: in this process, or in workers of its own.
import type { INestApplication } from '@nestjs/common';
import type { Adjustable } from '../config-watch/adjustable.js';
import type { Settings } from '../config-watch/settings.js';

/** The main process's listener, at a port that workers listen at too. */
export interface SharedListener {
  open(app: INestApplication, port: number): Promise<void>;
  adjust(next: Settings): void;
  /** Each connection ends with its next answer, and is made anew where there are fewer. */
  letGo(): void;
  close(): Promise<void>;
}

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
