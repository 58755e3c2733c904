// Who may import whom: DESIGN's table as rules; type-only imports count.

const ground = ['message'];
const settings = [...ground, 'stats', 'config-watch'];

/** Folder of src → the folders it may import, beside itself. */
const mayImport = {
  message: [],
  stats: ground,
  'config-watch': ['stats', 'message'],
  cli: ['config-watch', 'message'],
  broker: [...settings, 'shared-state'],
  'shared-state': settings,
  target: settings,
  policy: [...settings, 'shared-state'],
  acl: ['config-watch', 'message'],
  producer: [...settings, 'broker', 'shared-state'],
  reply: [...settings, 'shared-state'],
  transaction: [...settings, 'producer', 'broker'],
  ingress: [...settings, 'acl', 'producer', 'transaction', 'reply', 'tracking', 'target/mailbox'],
  'circuit-breaker': [...settings, 'policy'],
  dispatcher: [...settings, 'reply', 'policy', 'circuit-breaker', 'target', 'subscription', 'tracking', 'broker'],
  subscription: [...settings, 'broker'],
  health: [...settings, 'broker'],
  monitor: [...settings, 'broker'],
  tracking: [...settings, 'broker'],
  // Puts the accepting half into processes of its own: what is let in there is counted and appended here (producer,
  // broker), what is not answered there comes in by a door there (ingress).
  workers: [...settings, 'broker', 'producer', 'ingress'],
  management: [...settings, 'dispatcher', 'subscription', 'transaction', 'producer', 'tracking', 'broker', 'monitor'],
  console: [...settings, 'dispatcher', 'subscription', 'transaction', 'producer', 'tracking', 'broker', 'monitor'],
};

/** Client library → the one folder that may use it. */
const behind = {
  'better-sqlite3': 'src/broker/drivers/embedded',
  '@node-rs/crc32': 'src/broker/drivers/(embedded|kafka)',
  kafkajs: 'src/broker/drivers/kafka',
  ioredis: 'src/shared-state/drivers/redis',
  '@opentelemetry/[^/]+': 'src/stats/tracing/otlp',
  'prom-client': 'src/stats/metrics/exposition',
  undici: 'src/target/http',
  '@grpc': 'src/ingress/grpc',
  'grpc-health-check': 'src/ingress/grpc',
  protobufjs: 'src/ingress/grpc',
  fastify: 'src/(ingress|workers|bigpipe|main-adapter|management-listener|pages)',
  '@nestjs/swagger': 'src/ingress/openapi',
  '@nestjs/terminus': 'src/health',
  re2js: 'src/config-watch',
  'class-validator': 'src/config-watch',
  'class-transformer': 'src/config-watch',
  '@nestjs/config': 'src/config-watch',
  '@msgpack/msgpack': 'src/subscription',
  yaml: 'src/cli',
  uplot: 'src/console/page',
};

const folderRules = Object.entries(mayImport).map(([folder, allowed]) => ({
  name: `${folder}-imports`,
  severity: 'error',
  from: { path: `^src/${folder}/` },
  to: { path: '^src/', pathNot: [folder, ...allowed].map((name) => `^src/${name}/`) },
}));

const packageRules = Object.entries(behind).map(([name, place]) => ({
  name: `${name.replace(/\W/g, '-')}-stays-in-its-place`,
  severity: 'error',
  from: { path: '^src/', pathNot: `^${place}` },
  to: { path: `node_modules/(@types/)?${name}/` },
}));

export default {
  forbidden: [
    ...folderRules,
    ...packageRules,
    {
      name: 'no-circles',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'message-imports-no-package',
      severity: 'error',
      from: { path: '^src/message/' },
      to: { dependencyTypes: ['npm', 'npm-dev', 'npm-optional', 'npm-peer'] },
    },
    ...['broker', 'shared-state'].flatMap((port) => [
      {
        name: `only-the-${port}-module-knows-drivers`,
        severity: 'error',
        from: { path: '^src/', pathNot: `^src/${port}/((${port}|remote)\\.module\\.ts|drivers/)` },
        to: { path: `^src/${port}/drivers/` },
      },
      {
        name: `a-${port}-driver-imports-no-other-driver`,
        severity: 'error',
        from: { path: `^src/${port}/drivers/([^/]+)/` },
        to: { path: `^src/${port}/drivers/`, pathNot: `^src/${port}/drivers/$1/` },
      },
    ]),
    {
      name: 'src-imports-no-test',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|bench)/' },
    },
    {
      name: 'the-page-runs-in-a-browser',
      severity: 'error',
      from: { path: '^src/console/page/' },
      to: { pathNot: '^(src/console/page/|node_modules/uplot/)' },
    },
    {
      name: 'only-a-browser-runs-the-page',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/console/page/' },
      to: { path: '^src/console/page/' },
    },
    {
      name: 'unresolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
