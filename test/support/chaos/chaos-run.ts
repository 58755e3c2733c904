// One run: load, a nemesis at a time by the schedule, then peace, and the books are compared.
import { Load, type LoadSettings } from './load.ts';
import { type Nemesis, type Step, scheduleOf } from './nemesis.ts';
import { type ChaosReport, reportOf } from './report.ts';
import { groupId, World, type WorldSettings } from './world.ts';

export interface RunSettings extends WorldSettings {
  readonly load: LoadSettings;
  readonly nemeses: Readonly<Record<string, Nemesis>>;
  /** Answers to callers between two acts: at most. */
  readonly mostAnswers: number;
  /** Ends after so many acts, or after so long, whichever is first. */
  readonly acts: number;
  readonly minutes: number;
  /** Once all receivers are well: without a delivery for so long the rest is lost. */
  readonly patienceMs: number;
  /** Dead letters are sent again at the end until none is left. */
  readonly redriveAtEnd: boolean;
}

interface Letters {
  readonly letters: readonly { readonly id: string | null; readonly partition: number; readonly offset: string }[];
}

type Backlogs = readonly { readonly topic: string; readonly backlog: Readonly<Record<string, number>> }[];

const lookMs = 10;
/** Without an answer to any caller for so long the next act comes all the same. */
const quietMs = 3000;
const lettersAtOnce = 1000;

export class ChaosRun {
  readonly world: World;
  private readonly settings: RunSettings;
  private readonly load: Load;
  private readonly acts = new Map<string, number>();
  private readonly skipped: string[] = [];

  constructor(settings: RunSettings) {
    this.settings = settings;
    this.world = new World(settings);
    this.load = new Load(this.world, settings.load);
  }

  /** Leaves nothing behind. Throws when the program cannot be started, or hangs. */
  async run(): Promise<ChaosReport> {
    const { world, load } = this;
    const startedMs = performance.now();
    try {
      await world.makeHome();
      const weights = await this.prepare();
      await world.open();
      load.start();
      await this.torment(weights);
      await load.stop();
      world.note('peace');
      await world.restore();
      const { lost, dead } = await this.settle();
      const left = await this.backlogLeft();
      await world.terminate();
      return reportOf({
        world,
        acts: this.acts,
        skipped: this.skipped,
        lost,
        dead,
        left,
        seconds: (performance.now() - startedMs) / 1000,
      });
    } finally {
      await load.stop();
      await world.close();
    }
  }

  /** For who is interrupted: nothing is left mounted, running or on the disk. */
  close(): Promise<void> {
    return this.world.close();
  }

  private async prepare(): Promise<Record<string, number>> {
    const weights: Record<string, number> = {};
    for (const [name, nemesis] of Object.entries(this.settings.nemeses)) {
      const reason = (await nemesis.prepare?.(this.world)) ?? null;
      if (reason === null) weights[name] = nemesis.weight;
      else this.skipped.push(`${name}: ${reason}`);
    }
    return weights;
  }

  private async torment(weights: Readonly<Record<string, number>>): Promise<void> {
    const { mostAnswers, acts, minutes } = this.settings;
    const end = performance.now() + minutes * 60_000;
    const schedule = scheduleOf(this.world.random.part('schedule'), weights, mostAnswers);
    for (const step of schedule) {
      if (Object.keys(weights).length === 0 || step.number > acts || performance.now() > end) return;
      await this.waitFor(step, end);
      await this.act(step);
    }
  }

  private async act({ name, number, random }: Step): Promise<void> {
    const { world, load, settings } = this;
    const said = await settings.nemeses[name]?.act(world, load, random);
    this.acts.set(name, (this.acts.get(name) ?? 0) + 1);
    const { tally, open } = world.books;
    const { accepted, delivered } = tally;
    world.note(`${number} ${name}: ${said}; ${accepted} accepted, ${delivered} delivered, ${open} open`);
    if (world.bigpipe === null) await world.start();
  }

  private async waitFor({ afterAnswers }: Step, end: number): Promise<void> {
    const { load } = this;
    const enough = load.answers + afterAnswers;
    let last = load.answers;
    let sinceMs = performance.now();
    while (load.answers < enough && performance.now() < end) {
      if (load.answers !== last) {
        last = load.answers;
        sinceMs = performance.now();
      }
      if (performance.now() - sinceMs > quietMs) return;
      await new Promise((resolve) => setTimeout(resolve, lookMs));
    }
  }

  /** Until everything is delivered or among the dead letters, or nothing comes any more. */
  private async settle(): Promise<{ lost: string[]; dead: number }> {
    const { world, settings } = this;
    for (;;) {
      const { arrived } = world.books.tally;
      await this.untilQuiet();
      const dead = await this.deadLetters();
      const lost = world.books.missing().filter((id) => !dead.has(id));
      if (dead.size > 0 && settings.redriveAtEnd && (await this.redriveAll())) continue;
      if (lost.length === 0 || world.books.tally.arrived === arrived) return { lost, dead: dead.size };
    }
  }

  private async untilQuiet(): Promise<void> {
    const { books } = this.world;
    let last = -1;
    let sinceMs = performance.now();
    while (books.open > 0 && performance.now() - sinceMs < this.settings.patienceMs) {
      if (books.tally.arrived !== last) {
        last = books.tally.arrived;
        sinceMs = performance.now();
      } else if ((await this.deadLetters()).size >= books.open) return;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }

  /** Ids of all that stand in the dead letter. */
  private async deadLetters(): Promise<Set<string>> {
    const ids = new Set<string>();
    for (const { name, partitions } of this.settings.topics) {
      for (let partition = 0; partition < partitions; partition += 1) {
        for (let from = 0; ; ) {
          const query = `partition=${partition}&from=${from}&limit=${lettersAtOnce}`;
          const page = (await this.world.manage('GET', `/dlq/${name}/${groupId}?${query}`)) as Letters | null;
          for (const { id } of page?.letters ?? []) if (id !== null) ids.add(id);
          const last = page?.letters.at(-1);
          if (last === undefined || (page?.letters.length ?? 0) < lettersAtOnce) break;
          from = Number(last.offset) + 1;
        }
      }
    }
    return ids;
  }

  /** What the program says that it still has to do, once it has had time to see that it has not. */
  private async backlogLeft(): Promise<string[]> {
    const end = performance.now() + this.settings.patienceMs;
    for (;;) {
      const rows = (await this.world.manage('GET', '/subscriptions')) as Backlogs | null;
      const left = (rows ?? []).flatMap(({ topic, backlog }) =>
        Object.entries(backlog).flatMap(([what, count]) => (count === 0 ? [] : [`${topic} ${what} ${count}`])),
      );
      if (left.length === 0 || performance.now() > end) return left;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** True when a redrive sent something. */
  private async redriveAll(): Promise<boolean> {
    const { world, settings } = this;
    let sent = 0;
    for (const { name } of settings.topics) {
      const path = `/dlq/${name}/${groupId}/redrive`;
      const order = { rate: 100_000, canary: 1, abortIfFailRate: 1 };
      await world.manage('DELETE', path);
      if ((await world.manage('POST', path, order)) === null) continue;
      for (;;) {
        const report = (await world.manage('GET', path)) as { state: string; sent: number } | null;
        if (report === null) break;
        if (report.state !== 'running') {
          sent += report.sent;
          break;
        }
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
    world.note(`sent ${sent} dead letters again`);
    return sent > 0;
  }
}
