// Where the settings come from: the file or directory, read together with the environment.
import { maxFiles, sourceFiles } from './config-files.js';
import type { Environment } from './env.js';
import type { KeyValues } from './key-values.js';
import { type LoadedSettings, loadSettings, parseSettings } from './load-settings.js';
import type { Variables } from './references.js';

export class ConfigSource {
  /** As they were when the process started. */
  private started: KeyValues | null = null;
  /** Files that values refer to, also those that were not there. */
  private referred: readonly string[] = [];

  constructor(
    readonly path: string,
    private readonly environment: Environment,
    private readonly variables: Variables,
  ) {}

  /** Throws SettingsError. What needs a restart keeps the value of the first load. */
  load(): LoadedSettings {
    const referred = new Set<string>();
    try {
      const loaded = loadSettings(this.path, this.environment, { ...this.parts, referred });
      this.started ??= loaded.keys;
      return loaded;
    } finally {
      this.referred = [...referred];
    }
  }

  /** The same for a text that stands in no file. Throws SettingsError. */
  parse(text: string): LoadedSettings {
    return parseSettings(text, this.environment, { ...this.parts, referred: new Set() });
  }

  /** Every file that the last load read or looked for. */
  files(): readonly string[] {
    // With one too many it is refused, and looking at more tells no more.
    return [...sourceFiles(this.path).slice(0, maxFiles + 1), ...this.referred];
  }

  private get parts() {
    return { variables: this.variables, started: this.started };
  }
}
