// A worker's source of settings: what the main process has read, checked and sent.
import type { ConfigSource } from '../config-watch/config-source.js';
import { KeyValues } from '../config-watch/key-values.js';
import { freeze, type LoadedSettings } from '../config-watch/load-settings.js';
import { Mask } from '../config-watch/mask.js';
import { type Settings, SettingsError } from '../config-watch/settings.js';

/** Each sending is a change, whose lines the main process has logged. */
export class SentSettings implements Pick<ConfigSource, 'path' | 'load' | 'parse' | 'files'> {
  readonly path = 'the main process';
  private sendings = 1;

  constructor(private settings: Settings) {
    freeze(settings);
  }

  /** The next load gives these. */
  send(settings: Settings): void {
    this.settings = freeze(settings);
    this.sendings += 1;
  }

  load(): LoadedSettings {
    const keys = new KeyValues({ sending: this.sendings }, new Mask());
    return { settings: this.settings, keys, warnings: [], pendingRestart: [] };
  }

  parse(): LoadedSettings {
    throw new SettingsError(this.path, ['a worker reads no configuration']);
  }

  files(): readonly string[] {
    return [];
  }
}
