// Holds the settings in force. Changing them while the process runs comes with a later version.
import type { Settings } from './settings.js';

export class ConfigWatch {
  constructor(
    /** The frozen settings; read them anew at each use, never keep a part of them. */
    readonly settings: Settings,
    readonly file: string,
    readonly loadedAtMs: number,
  ) {}
}
