// Runs the Dockerfile step by step without an engine: each stage on an overlay over this machine's own root, the program at the
// end as docker would run it: read-only root, user 1000, the first process of its own pid namespace. Needs root and Linux.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { cpSync, createWriteStream, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

const repository = resolve(import.meta.dirname, '..');
const home = mkdtempSync(join(tmpdir(), 'bigpipe-image-'));
/** Stands in for the base image's runtime. */
const runtime = join(repository, 'node_modules/node/bin/node');

/** A busy machine, and nothing of it read before. */
const startMs = 180_000;

const say = (text) => process.stdout.write(`image: ${text}\n`);

/** Steps as [instruction, words], a line that ends in a backslash joined with the next. */
function stepsOf(dockerfile) {
  const lines = dockerfile
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '');
  return lines.map((line) => {
    const [, instruction, rest] = /^(\w+)\s+(.*)$/.exec(line);
    return [instruction, rest];
  });
}

class Stage {
  workdir = '/';
  user = '0:0';
  volumes = [];
  environment = {};
  command = null;
  check = null;

  constructor(number) {
    this.home = join(home, `stage-${number}`);
    for (const name of ['upper', 'work', 'root']) mkdirSync(join(this.home, name), { recursive: true });
    // Where the base image has it: ahead of any other.
    cpSync(runtime, this.at('/usr/local/bin/node'));
  }

  /** Where a path of the image lies here. */
  at(path) {
    return join(this.home, 'upper', resolve(this.workdir, path));
  }

  /** The arguments of unshare: a shell that sees the stage as its root, and becomes what `then` says. */
  inside(then, mounts = '') {
    const root = join(this.home, 'root');
    const layers = `lowerdir=/,upperdir=${join(this.home, 'upper')},workdir=${join(this.home, 'work')}`;
    const mount = `mount -t overlay overlay -o ${layers} ${root} && mount --bind /dev ${root}/dev`;
    return ['--mount', '--pid', '--fork', 'sh', '-ec', `${mount} && mount -t proc proc ${root}/proc\n${mounts}\n${then(root)}`];
  }

  /** `exec`, in its place. A step keeps this machine's environment (how the registry is reached), the program gets its own. */
  exec(root, argv, environment = '') {
    const variables = { PATH: '/usr/local/bin:/usr/bin:/bin', ...this.environment };
    const pairs = Object.entries(variables).map(([name, value]) => quoted(`${name}=${value}`));
    const words = argv.map(quoted).join(' ');
    return `exec chroot --userspec=${this.user} ${root} env ${environment} -C ${this.workdir} ${pairs.join(' ')} ${words}`;
  }
}

const quoted = (word) => `'${word.replaceAll("'", "'\\''")}'`;

const handlers = {
  WORKDIR(stage, path) {
    stage.workdir = resolve(stage.workdir, path);
    mkdirSync(stage.at('.'), { recursive: true });
  },
  ENV(stage, pairs) {
    for (const pair of pairs.split(' ')) {
      const [name, value] = pair.split('=');
      stage.environment[name] = value;
    }
  },
  COPY(stage, words, stages) {
    const all = words.split(' ');
    const from = all[0].startsWith('--from=') ? stages[all.shift().slice('--from='.length)] : null;
    const target = all.pop();
    for (const source of all) {
      // As docker does it: the contents of a folder, a file under its own name where the target is a folder.
      const isFile = /\.\w+$/.test(source);
      const to = stage.at(isFile && /^\.?\/?$/.test(target) ? source : target);
      if (from !== null) cpSync(from.at(source), to, { recursive: true, verbatimSymlinks: true });
      else copyContext(source, to);
    }
  },
  RUN(stage, line) {
    const command = (root) => stage.exec(root, ['sh', '-c', line]);
    execFileSync('unshare', stage.inside(command), { stdio: ['ignore', 'inherit', 'inherit'] });
  },
  VOLUME: (stage, path) => stage.volumes.push(path),
  USER(stage, user) {
    stage.user = user;
  },
  EXPOSE: () => undefined,
  HEALTHCHECK(stage, words) {
    stage.check = JSON.parse(words.slice(words.indexOf('[')));
  },
  CMD(stage, words) {
    stage.command = JSON.parse(words);
  },
};

/** Without what .dockerignore names. */
function copyContext(source, to) {
  const ignored = readFileSync(join(repository, '.dockerignore'), 'utf8').split('\n').filter(Boolean);
  const isIn = (path) => !ignored.some((name) => path === join(repository, name));
  mkdirSync(dirname(to), { recursive: true });
  cpSync(join(repository, source), to, { recursive: true, filter: isIn });
}

/** Starts it as `docker run --read-only --tmpfs /tmp` does; resolves to its pid out here and its end. */
async function start(stage, log) {
  const mounts = (root) => {
    const volumes = stage.volumes.map((path) => `mount --bind ${stage.at(path)} ${root}${path}`);
    return [`mount -o remount,ro ${root}`, ...volumes, `mount -t tmpfs tmpfs ${root}/tmp`].join('\n');
  };
  const root = join(stage.home, 'root');
  const child = spawn('unshare', stage.inside((at) => stage.exec(at, stage.command, '-i'), mounts(root)), {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  child.stdout.pipe(createWriteStream(log));
  const exited = new Promise((done) => child.once('exit', (code, signal) => done(code ?? signal)));
  const pidOf = () => readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim();
  while (pidOf() === '') await new Promise((next) => setTimeout(next, 20));
  return { pid: Number(pidOf()), exited };
}

/** Of the running program: who it is, where it may write, and that it is alone and the first. */
function lookAt(pid) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const line = (name) => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? '';
  if (!line('NSpid').endsWith('\t1')) throw new Error(`it is not the first process: ${line('NSpid')}`);
  if (!line('Uid').startsWith('1000\t1000')) throw new Error(`it is not user 1000: ${line('Uid')}`);
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  if (children !== '') throw new Error(`it has other processes: ${children}`);
  const root = readFileSync(`/proc/${pid}/mounts`, 'utf8').split('\n').find((mount) => mount.split(' ')[1] === '/');
  if (!root?.includes(' ro,')) throw new Error(`its root can be written: ${root}`);
}

try {
  if (spawnSync('unshare', ['--mount', '--pid', '--fork', 'true']).status !== 0) {
    say('SKIPPED: this machine lets nobody make namespaces');
    process.exit(0);
  }
  const stages = {};
  let stage;
  for (const [instruction, rest] of stepsOf(readFileSync(join(repository, 'Dockerfile'), 'utf8'))) {
    if (instruction !== 'FROM') {
      say(`${instruction} ${rest}`);
      handlers[instruction](stage, rest, stages);
      continue;
    }
    const [image, , name] = rest.split(/\s+/);
    stage = new Stage(Object.keys(stages).length);
    stages[name ?? 'last'] = stage;
    say(`FROM ${image}, in whose place stands ${execFileSync(runtime, ['--version'], { encoding: 'utf8' }).trim()}`);
  }
  Object.assign(stage.environment, { BIGPIPE_PORT: '0', BIGPIPE_HOST: '127.0.0.1', BIGPIPE_MANAGEMENT_PORT: '0' });
  const log = join(home, 'log');
  const { pid, exited } = await start(stage, log);
  say(`CMD ${stage.command.join(' ')}`);
  try {
    const end = Date.now() + startMs;
    while (!(existsSync(log) && readFileSync(log, 'utf8').includes('bigpipe is running'))) {
      if (Date.now() > end || !existsSync(`/proc/${pid}`)) throw new Error('it did not start');
      await new Promise((next) => setTimeout(next, 50));
    }
    lookAt(pid);
    const [, port] = /"port":(\d+),"managementPort"/.exec(readFileSync(log, 'utf8'));
    say(`HEALTHCHECK ${stage.check.slice(0, 2).join(' ')} …`);
    execFileSync(runtime, stage.check.slice(1), { env: { ...process.env, BIGPIPE_PORT: port } });
    execFileSync(runtime, [join(repository, '.ci/smoke.mjs'), log, `${pid}`], { stdio: 'inherit' });
  } catch (error) {
    process.stderr.write(readFileSync(log, 'utf8'));
    if (existsSync(`/proc/${pid}`)) process.kill(pid, 'SIGKILL');
    throw error;
  }
  const code = await exited;
  if (code !== 0) throw new Error(`it ended with ${code}:\n${readFileSync(log, 'utf8')}`);
  say('installed, built, started read-only as user 1000 and first process, served, and drained on SIGTERM');
} finally {
  rmSync(home, { recursive: true, force: true });
}
