// Under which rules and with which certificates connections are made now; both change while the process runs.
import { isDeepStrictEqual } from 'node:util';
import type { ConfigWatch } from '../../config-watch/config-watch.js';
import type { EgressSettings } from '../../config-watch/settings.js';
import { TlsFiles } from '../../config-watch/tls-files.js';
import type { Clock } from '../../message/clock.js';
import { Connectors, type HttpVersion } from './connectors.js';
import { EgressGuard } from './egress-guard.js';

export class Egress {
  private settings: EgressSettings;
  private readonly tls: TlsFiles;
  private guard: EgressGuard;
  connectors: Connectors;

  /** `changed`: no connection that was made before is to be used for another request. */
  constructor(
    private readonly configWatch: ConfigWatch,
    clock: Clock,
    private readonly version: HttpVersion,
    private readonly changed: () => void,
  ) {
    this.settings = configWatch.settings.egress;
    this.tls = new TlsFiles(this.settings.tls, 'egress.tls', clock);
    this.guard = new EgressGuard(this.settings);
    this.connectors = this.newConnectors();
  }

  /** Looks after the certificates; the log is there by then. */
  watch(): void {
    this.tls.watch(() => this.connectAnew());
  }

  close(): void {
    this.tls.close();
  }

  /** Why no call may go there, as far as the origin itself says; null when it may. To be asked before each attempt. */
  against(origin: string): string | null {
    this.follow(this.configWatch.settings.egress);
    return this.guard.rules.againstOrigin(origin);
  }

  private follow(settings: EgressSettings): void {
    if (settings === this.settings) return;
    const before = this.settings;
    this.settings = settings;
    if (isDeepStrictEqual(settings, before)) return;
    this.guard = new EgressGuard(settings);
    this.connectAnew();
  }

  private connectAnew(): void {
    this.connectors = this.newConnectors();
    this.changed();
  }

  private newConnectors(): Connectors {
    return new Connectors(this.settings.tls, this.tls.material, this.guard.lookup, this.version);
  }
}
