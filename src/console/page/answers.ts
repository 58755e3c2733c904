// What the listener answers, as far as the page reads it.

export interface GateState {
  readonly state: string;
  readonly reason: string;
  readonly since: string;
  readonly nextChange: string | null;
  readonly perSecond?: number;
  readonly fullPerSecond?: number;
}

export interface DestinationRow {
  readonly topic: string;
  readonly groupId: string;
  readonly destination: string;
  readonly inFlight: number;
  readonly ready: number;
  readonly pending: number;
  readonly endedPerSecond: number;
  readonly failedPerSecond: number;
  readonly hold: { readonly reason: string; readonly detail: string } | null;
  readonly states: readonly GateState[];
}

export interface DestinationList {
  readonly total: number;
  readonly rows: readonly DestinationRow[];
}

export interface Latency {
  readonly p50: number | null;
  readonly p99: number | null;
}

export type Backlog = Readonly<Record<string, number>>;

export interface RedriveReport {
  readonly id: string;
  readonly state: 'running' | 'done' | 'stopped' | 'aborted' | 'failed';
  readonly isUnderWay: boolean;
  readonly reason: string;
  readonly total: number;
  readonly sent: number;
  readonly delivered: number;
  readonly failed: number;
  readonly held: number;
  readonly followed: number;
}

interface RateLimit {
  readonly perSecond: number;
  readonly burst: number;
}

export interface Limits {
  readonly rate: RateLimit;
  readonly concurrency: { readonly min: number; readonly max: number };
  readonly timeoutMs: number;
  readonly retries: number;
  readonly ordering: string;
  readonly poison: string;
  readonly circuit: {
    readonly healthRate: number;
    readonly breakPeriodMs: number;
    readonly recoverPeriodMs: number;
  } | null;
  readonly warmupMs: number;
  readonly destination: {
    readonly rate: RateLimit | null;
    readonly concurrency: { readonly min: number; readonly max: number } | null;
  };
  readonly deadLetterTopic: string | null;
}

export interface Pause {
  readonly destination: string | null;
  readonly since: string;
}

export interface SubscriptionRow {
  readonly topic: string;
  readonly groupId: string;
  readonly limits: Limits;
  readonly paused: readonly Pause[];
  readonly lag: number;
  readonly backlog: Backlog;
  readonly arrivedPerSecond: number;
  readonly deliveredPerSecond: number;
  readonly failedPerSecond: number;
  readonly delivery: Latency;
  readonly attempt: Latency;
  readonly destinations: { readonly total: number; readonly open: number; readonly recovering: number };
  readonly deadLetters: number | null;
  readonly redrive: RedriveReport | null;
}

export interface FailureRow {
  readonly topic: string;
  readonly groupId: string;
  readonly destination: string;
  readonly kind: 'retry' | 'rejected';
  readonly status: number;
  readonly detail: string;
  readonly lastId: string;
  readonly first: string;
  readonly last: string;
  readonly count: number;
}

export interface Sample {
  readonly at: number;
  readonly process: {
    readonly pid: number;
    readonly driver: string;
    readonly uptimeSeconds: number;
    readonly cpuShare: number;
    readonly rssBytes: number;
  };
  readonly broker: { readonly ok: boolean; readonly detail: string };
  readonly config: {
    readonly version: number;
    readonly loadedAt: string;
    readonly lastError: { readonly since: string; readonly faults: readonly string[] } | null;
    readonly pendingRestart: number;
  };
  readonly subscriptions: readonly SubscriptionRow[];
  readonly troubled: readonly DestinationRow[];
  readonly failures: readonly FailureRow[];
  readonly total: {
    readonly arrivedPerSecond: number;
    readonly deliveredPerSecond: number;
    readonly failedPerSecond: number;
    readonly delivery: Latency;
    readonly attempt: Latency;
    readonly backlog: Backlog;
    readonly deadLetters: number;
  };
}

export interface Letter {
  readonly partition: number;
  readonly offset: string;
  readonly id: string | null;
  readonly url: string | null;
  readonly key: string | null;
  readonly bodyBase64: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly history: Readonly<Record<string, string>>;
}

export interface Explanation {
  readonly groupId: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly state: string;
  readonly id?: string;
  readonly aclName?: string;
  readonly destination?: string;
  readonly attempt?: number;
  readonly maxAttempts?: number;
  readonly since?: string;
  readonly deadLetter?: { readonly offset: string; readonly history: Readonly<Record<string, string>> };
  readonly waitingFor: readonly { readonly reason: string; readonly detail: string; readonly until: string | null }[];
  readonly estimate: string | null;
}

export interface Attempt {
  readonly topic: string;
  readonly groupId: string;
  readonly destination: string;
  readonly attempt: number;
  readonly kind: string;
  readonly status: number;
  readonly detail: string;
  readonly answer: string;
  readonly ended: string;
  readonly durationMs: number;
}

export interface ConfigPage {
  readonly file: string;
  readonly version: number;
  readonly loadedAt: string;
  readonly lastError: { readonly since: string; readonly faults: readonly string[] } | null;
  readonly pendingRestart: readonly string[];
  readonly settings: Readonly<Record<string, unknown>>;
}
