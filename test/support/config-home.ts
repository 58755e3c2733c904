// A ConfigWatch over a real file or directory, on a clock that the test moves.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigSource } from '#src/config-watch/config-source.js';
import { ConfigWatch } from '#src/config-watch/config-watch.js';
import { Environment } from '#src/config-watch/env.js';
import type { Config } from './bigpipe-process.js';
import { FakeClock } from './fake-clock.js';

/** Ends with the test: call `dispose`. */
export class ConfigHome {
  readonly directory = mkdtempSync(join(tmpdir(), 'bigpipe-config-'));
  readonly file = join(this.directory, 'bigpipe.json');
  readonly clock = new FakeClock();
  private watch: ConfigWatch | undefined;

  write(config: Config | string, name = 'bigpipe.json'): string {
    const file = join(this.directory, name);
    writeFileSync(file, typeof config === 'string' ? config : JSON.stringify(config));
    return file;
  }

  open(config: Config | string, variables: Record<string, string> = {}): ConfigWatch {
    this.write(config);
    this.watch = new ConfigWatch(new ConfigSource(this.file, new Environment(), variables), this.clock);
    return this.watch;
  }

  dispose(): void {
    this.watch?.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
