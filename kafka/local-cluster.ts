// A real Kafka on this machine, one node or three: jars, properties, start, kill, freeze, stop.
import { execFile, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, existsSync, openSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer, connect as dial } from 'node:net';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const here = fileURLToPath(new URL('.', import.meta.url));
const version = '4.3.1';
const copyDependencies = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies';

const firstPort = 19_000;
const lastPort = 29_000;
/** A loaded machine needs some 20 s for a start, up to 48 s after a kill. */
const startBoundMs = 120_000;
const stopBoundMs = 30_000;

/** Where jars are kept between runs: BIGPIPE_KAFKA_CACHE, else below XDG_CACHE_HOME or ~/.cache. */
export function cacheDirectory(): string {
  const { BIGPIPE_KAFKA_CACHE: own, XDG_CACHE_HOME: xdg } = process.env;
  return own ?? join(xdg ?? join(homedir(), '.cache'), 'bigpipe-kafka');
}

const sha256 = async (file: string) =>
  createHash('sha256')
    .update(await readFile(file))
    .digest('hex');

/** Names every jar that is not what it should be; empty when all are. */
async function jarFaults(libs: string): Promise<string[]> {
  const pinned = new Map(
    (await readFile(join(here, 'jars.sha256'), 'utf8'))
      .trim()
      .split('\n')
      .map((line) => line.split('  ').toReversed() as [string, string]),
  );
  const found = existsSync(libs) ? await readdir(libs) : [];
  const faults = found.filter((name) => !pinned.has(name)).map((name) => `${name}: not in jars.sha256`);
  for (const [name, sum] of pinned) {
    if (!found.includes(name)) faults.push(`${name}: missing`);
    else if ((await sha256(join(libs, name))) !== sum) faults.push(`${name}: another SHA-256 than in jars.sha256`);
  }
  return faults;
}

/** The directory with Kafka's jars; fetched once, checked each time. */
export async function kafkaJars(): Promise<string> {
  const home = join(cacheDirectory(), version);
  const libs = join(home, 'libs');
  if ((await jarFaults(libs)).length === 0) return libs;
  await mkdir(home, { recursive: true });
  const fresh = join(home, `libs-${randomBytes(4).toString('hex')}`);
  const options = ['-B', '-ntp', `-Dmaven.repo.local=${join(home, 'm2')}`, '-f', join(here, 'pom.xml')];
  await run('mvn', [...options, copyDependencies, '-DincludeScope=runtime', `-DoutputDirectory=${fresh}`], {
    maxBuffer: 16_777_216,
  });
  const faults = await jarFaults(fresh);
  if (faults.length > 0) {
    await rm(fresh, { recursive: true });
    throw new Error(`the jars of Kafka ${version} are not the pinned ones:\n  ${faults.join('\n  ')}`);
  }
  await rm(libs, { recursive: true, force: true });
  await rename(fresh, libs);
  return libs;
}

/** Runs one of Kafka's own tools; resolves to what it printed. */
export async function kafkaTool(mainClass: string, ...args: readonly string[]): Promise<string> {
  const jvm = ['-XX:TieredStopAtLevel=1', '-cp', `${await kafkaJars()}/*`, mainClass];
  return (await run('java', [...jvm, ...args])).stdout;
}

/** True when Java is there, without which no broker runs. */
export async function hasJava(): Promise<boolean> {
  return run('java', ['-version']).then(
    () => true,
    () => false,
  );
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/**
 * Below those that the system gives to outgoing connections; from a random place on, so that two who look at once do not
 * choose alike.
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  let port = firstPort + (randomBytes(2).readUInt16BE() % (lastPort - firstPort));
  while (ports.length < count) {
    port = port + 1 < lastPort ? port + 1 : firstPort;
    if (await isFree(port)) ports.push(port);
  }
  return ports;
}

const answers = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = dial({ host: '127.0.0.1', port });
    const end = (open: boolean) => {
      socket.destroy();
      resolve(open);
    };
    // ApiVersions, version 0: a listener that is bound is not yet a broker that answers.
    socket.once('connect', () => socket.write(Buffer.from('0000000a0012000000000001ffff', 'hex')));
    socket.once('data', () => end(true));
    socket.once('error', () => end(false));
    socket.once('close', () => end(false));
    socket.setTimeout(2000, () => end(false));
  });

/** Process ids outlive this process: `down` and a later test run end what an earlier one left. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function until(what: string, condition: () => boolean | Promise<boolean>, boundMs: number): Promise<void> {
  const end = performance.now() + boundMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`waited ${boundMs} ms in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

interface NodePlace {
  readonly id: number;
  readonly port: number;
  /** A second listener, for clients who come through a proxy: they are told `announcedPort`, where the proxy listens. */
  readonly behind: { readonly port: number; readonly announcedPort: number };
}

export class KafkaNode {
  readonly id: number;
  readonly port: number;
  readonly behind: NodePlace['behind'];
  private readonly directory: string;
  private readonly libs: string;

  constructor({ id, port, behind }: NodePlace, directory: string, libs: string) {
    this.id = id;
    this.port = port;
    this.behind = behind;
    this.directory = directory;
    this.libs = libs;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  private get pidFile(): string {
    return join(this.directory, 'pid');
  }

  /** Resolves when the process runs; `answering` says when it serves. */
  async start(): Promise<void> {
    const out = openSync(join(this.directory, 'log'), 'a');
    const log4j = `-Dlog4j2.configurationFile=${join(here, 'log4j2.properties')}`;
    const jvm = [
      '-Xmx512m',
      '-Xms128m',
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
      '-Djava.awt.headless=true',
      log4j,
    ];
    const args = [...jvm, '-cp', `${this.libs}/*`, 'kafka.Kafka', join(this.directory, 'server.properties')];
    const child = spawn('java', args, { detached: true, stdio: ['ignore', out, out] });
    closeSync(out);
    child.unref();
    await writeFile(this.pidFile, `${child.pid}`);
  }

  async answering(): Promise<void> {
    const answered = async () => {
      if (await answers(this.port)) return true;
      if (!(await this.isRunning())) throw new Error(`Kafka node ${this.id} has ended: see ${this.directory}/log`);
      return false;
    };
    await until(`Kafka node ${this.id} answers`, answered, startBoundMs);
  }

  /** kill -9. */
  async kill(): Promise<void> {
    await this.signal('SIGKILL', true);
  }

  async stop(): Promise<void> {
    await this.signal('SIGTERM', true);
  }

  async freeze(): Promise<void> {
    await this.signal('SIGSTOP', false);
  }

  async thaw(): Promise<void> {
    await this.signal('SIGCONT', false);
  }

  private async signal(signal: NodeJS.Signals, ends: boolean): Promise<void> {
    const pid = await this.pid();
    if (pid === null || !isAlive(pid)) return;
    process.kill(pid, signal);
    if (!ends) return;
    try {
      await until(`Kafka node ${this.id} has ended`, () => !isAlive(pid), stopBoundMs);
    } catch (error) {
      if (signal === 'SIGKILL') throw error;
      await this.kill();
    }
  }

  private async isRunning(): Promise<boolean> {
    const pid = await this.pid();
    return pid !== null && isAlive(pid);
  }

  private async pid(): Promise<number | null> {
    if (!existsSync(this.pidFile)) return null;
    return Number(await readFile(this.pidFile, 'utf8'));
  }
}

export class LocalCluster {
  readonly directory: string;
  readonly nodes: readonly KafkaNode[];

  private constructor(directory: string, nodes: readonly KafkaNode[]) {
    this.directory = directory;
    this.nodes = nodes;
  }

  /** What a client is told: host:port of every node. */
  get servers(): string {
    return this.nodes.map(({ address }) => address).join(',');
  }

  /**
   * Starts `count` nodes with data in the directory, which is made; resolves when all of them answer. `secured`: the
   * listener behind the proxy speaks TLS, and knows one user.
   */
  static async start(directory: string, count: 1 | 3, secured = false): Promise<LocalCluster> {
    const libs = await kafkaJars();
    const ports = await freePorts(4 * count);
    // Begins with no dash, which the tool would take for an option.
    const clusterId = Buffer.concat([Buffer.of(0x4d), randomBytes(15)]).toString('base64url');
    const voters = Array.from({ length: count }, (_, i) => `${i + 1}@127.0.0.1:${ports[count + i]}`).join(',');
    const nodes: KafkaNode[] = [];
    for (let i = 0; i < count; i++) {
      const home = join(directory, `node-${i + 1}`);
      await mkdir(home, { recursive: true });
      const [port, controllerPort, behindPort, announcedPort] = [0, 1, 2, 3].map(
        (row) => ports[row * count + i] as number,
      );
      const own = { id: i + 1, port, controllerPort, behind: { port: behindPort, announcedPort } } as const;
      const file = join(home, 'server.properties');
      const plan = { ...own, voters, home, count } as NodePlan;
      await writeFile(file, propertiesOf(plan) + (secured ? await securityOf(home) : ''));
      nodes.push(new KafkaNode(own as NodePlace, home, libs));
      const format = ['-XX:TieredStopAtLevel=1', '-cp', `${libs}/*`, 'kafka.tools.StorageTool', 'format'];
      const users = secured ? scramMechanisms.flatMap((name) => ['--add-scram', `${name}=[${scramUser}]`]) : [];
      await run('java', [...format, '-t', clusterId, '-c', file, '--ignore-formatted', ...users]);
    }
    const cluster = new LocalCluster(directory, nodes);
    await writeFile(
      join(directory, 'nodes.json'),
      JSON.stringify(nodes.map(({ id, port, behind }) => ({ id, port, behind }))),
    );
    try {
      for (const node of nodes) await node.start();
      for (const node of nodes) await node.answering();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  /** The cluster that an earlier process started in the directory, or null. */
  static async at(directory: string): Promise<LocalCluster | null> {
    const file = join(directory, 'nodes.json');
    if (!existsSync(file)) return null;
    const rows = JSON.parse(await readFile(file, 'utf8')) as NodePlace[];
    const libs = join(cacheDirectory(), version, 'libs');
    return new LocalCluster(
      directory,
      rows.map((place) => new KafkaNode(place, join(directory, `node-${place.id}`), libs)),
    );
  }

  /** Runs one of Kafka's own tools against the cluster. */
  async tool(mainClass: string, ...args: readonly string[]): Promise<void> {
    await kafkaTool(mainClass, ...args);
  }

  /** Ends every node; with three the last of them has no quorum to say goodbye to, so they go at once. */
  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => (this.nodes.length === 1 ? node.stop() : node.kill())));
  }

  /** Stops, and removes the data. */
  async remove(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.kill()));
    await rm(this.directory, { recursive: true, force: true });
  }

  /** A copy of the nodes' logs, for whoever asks why a test failed. */
  async keepLogs(into: string): Promise<void> {
    for (const { id } of this.nodes) {
      await cp(join(this.directory, `node-${id}`, 'log'), join(into, `kafka-${id}.log`)).catch(() => undefined);
    }
  }
}

/** Of the listener behind the proxy, when it is secured. */
export const kafkaUser = { username: 'alice', password: 'wonder land' } as const;
const scramUser = `name=${kafkaUser.username},password=${kafkaUser.password}`;
const scramMechanisms = ['SCRAM-SHA-256', 'SCRAM-SHA-512'];
const storePassword = 'for tests only';

/** A certificate for 127.0.0.1; `certificate.pem` beside it is what a client has to trust. */
async function securityOf(home: string): Promise<string> {
  const store = join(home, 'keystore.p12');
  const access = ['-keystore', store, '-storetype', 'PKCS12', '-storepass', storePassword, '-alias', 'node'];
  const names = ['-dname', 'CN=127.0.0.1', '-ext', 'SAN=IP:127.0.0.1', '-validity', '2'];
  await run('keytool', ['-genkeypair', '-keyalg', 'EC', '-groupname', 'secp256r1', ...names, ...access]);
  await run('keytool', ['-exportcert', '-rfc', '-file', join(home, 'certificate.pem'), ...access]);
  const login = 'org.apache.kafka.common.security';
  const { username, password } = kafkaUser;
  const scram = scramMechanisms.map(
    (name) => `listener.name.proxied.${name.toLowerCase()}.sasl.jaas.config=${login}.scram.ScramLoginModule required;`,
  );
  return `listener.name.proxied.sasl.enabled.mechanisms=PLAIN,${scramMechanisms.join(',')}
listener.name.proxied.plain.sasl.jaas.config=${login}.plain.PlainLoginModule required user_${username}="${password}";
${scram.join('\n')}
listener.name.proxied.ssl.keystore.type=PKCS12
listener.name.proxied.ssl.keystore.location=${store}
listener.name.proxied.ssl.keystore.password=${storePassword}
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PROXIED:SASL_SSL
`;
}

interface NodePlan extends NodePlace {
  readonly controllerPort: number;
  readonly voters: string;
  readonly home: string;
  readonly count: number;
}

/** Each cluster has an id of its own, so that a node never registers with another's controller. */
function propertiesOf({ id, port, behind, controllerPort, voters, home, count }: NodePlan): string {
  const minIsr = count === 1 ? 1 : 2;
  return `process.roles=broker,controller
node.id=${id}
controller.quorum.voters=${voters}
listeners=PLAINTEXT://127.0.0.1:${port},PROXIED://127.0.0.1:${behind.port},CONTROLLER://127.0.0.1:${controllerPort}
advertised.listeners=PLAINTEXT://127.0.0.1:${port},PROXIED://127.0.0.1:${behind.announcedPort}
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT
broker.session.timeout.ms=5000
broker.heartbeat.interval.ms=500
log.dirs=${join(home, 'data')}
num.partitions=1
default.replication.factor=${count}
min.insync.replicas=${minIsr}
auto.create.topics.enable=false
offsets.topic.replication.factor=${count}
offsets.topic.num.partitions=10
transaction.state.log.replication.factor=${count}
transaction.state.log.min.isr=${minIsr}
transaction.state.log.num.partitions=5
share.coordinator.state.topic.replication.factor=${count}
share.coordinator.state.topic.min.isr=${minIsr}
share.coordinator.state.topic.num.partitions=5
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
num.network.threads=2
num.io.threads=4
num.recovery.threads.per.data.dir=2
log.retention.hours=24
log.segment.bytes=268435456
log.cleaner.dedupe.buffer.size=16777216
`;
}
