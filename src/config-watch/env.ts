// What the process's environment may say; it wins over the file. The only reader of process.env.
import type { DynamicModule } from '@nestjs/common';
import { ConfigModule } from '@nestjs/config';
import { validateSync } from 'class-validator';
import { samplers } from '../stats/tracing/tracing.js';
import { Mask } from './mask.js';
import type { Variables } from './references.js';
import { advertiseAllowed, advertisePattern } from './schema/cluster.js';
import { redisUrlAllowed, redisUrlPattern } from './schema/redis.js';
import { AnyText, OneOf, Optional, Text } from './schema/rules.js';
import { tokenAllowed, tokenPattern } from './schema/server.js';
import { SettingsError } from './settings.js';

const portPattern = /^(0|[1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5])$/;
const portAllowed = 'a port from 0 to 65535';
const workersPattern = /^(auto|\d|[1-5]\d|6[0-4])$/;

/** gRPC is not spoken to collectors; they take HTTP beside it, commonly at port 4318. */
const otlpProtocols = ['http/protobuf', 'http/json'] as const;
const countPattern = /^[1-9]\d{0,5}$/;
const countAllowed = 'a whole number from 1 to 999999';

/** Texts, as the environment has them. An empty variable counts as not set. */
export class Environment {
  @Optional()
  @AnyText()
  BIGPIPE_CONFIG?: string;

  @Optional()
  @AnyText()
  BIGPIPE_HOST?: string;

  @Optional()
  @Text(portPattern, portAllowed)
  BIGPIPE_PORT?: string;

  @Optional()
  @Text(portPattern, portAllowed)
  BIGPIPE_GRPC_PORT?: string;

  @Optional()
  @AnyText()
  BIGPIPE_MANAGEMENT_HOST?: string;

  @Optional()
  @Text(portPattern, portAllowed)
  BIGPIPE_MANAGEMENT_PORT?: string;

  @Optional()
  @Text(tokenPattern, tokenAllowed)
  BIGPIPE_MANAGEMENT_TOKEN?: string;

  /** NAME:SECRET, for the commands that send calls. */
  @Optional()
  @AnyText()
  BIGPIPE_CALLER?: string;

  @Optional()
  @AnyText()
  BIGPIPE_DATA_DIR?: string;

  @Optional()
  @OneOf(['0', '1', '2', '3', '4', '5'])
  BIGPIPE_LOG_LEVEL?: string;

  @Optional()
  @Text(workersPattern, 'a whole number from 0 to 64, or auto')
  BIGPIPE_WORKERS?: string;

  /** What npm run kafka:up prints: stands in for kafka.bootstrap.servers. */
  @Optional()
  @AnyText()
  KAFKA_BROKERS?: string;

  @Optional()
  @AnyText()
  BIGPIPE_KAFKA_PASSWORD?: string;

  @Optional()
  @Text(redisUrlPattern, redisUrlAllowed)
  BIGPIPE_REDIS_URL?: string;

  /** Where the other nodes reach this one: in a container its own address. */
  @Optional()
  @Text(advertisePattern, advertiseAllowed)
  BIGPIPE_ADVERTISE?: string;

  @Optional()
  @Text(tokenPattern, tokenAllowed)
  BIGPIPE_CLUSTER_SECRET?: string;

  /** Traces are sent where an endpoint is set; the rest of OTEL_EXPORTER_OTLP_* the exporter reads itself. */
  @Optional()
  @Text(/^https?:\/\/\S+$/, 'an http or https URL')
  OTEL_EXPORTER_OTLP_ENDPOINT?: string;

  @Optional()
  @Text(/^https?:\/\/\S+$/, 'an http or https URL')
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT?: string;

  @Optional()
  @OneOf(otlpProtocols)
  OTEL_EXPORTER_OTLP_PROTOCOL?: (typeof otlpProtocols)[number];

  @Optional()
  @OneOf(otlpProtocols)
  OTEL_EXPORTER_OTLP_TRACES_PROTOCOL?: (typeof otlpProtocols)[number];

  @Optional()
  @OneOf(['otlp', 'none'])
  OTEL_TRACES_EXPORTER?: string;

  @Optional()
  @OneOf(['true', 'false'])
  OTEL_SDK_DISABLED?: string;

  @Optional()
  @OneOf(samplers)
  OTEL_TRACES_SAMPLER?: (typeof samplers)[number];

  @Optional()
  @Text(/^(0(\.\d+)?|1(\.0+)?)$/, 'a number from 0 to 1')
  OTEL_TRACES_SAMPLER_ARG?: string;

  @Optional()
  @Text(countPattern, countAllowed)
  OTEL_BSP_SCHEDULE_DELAY?: string;

  @Optional()
  @Text(countPattern, countAllowed)
  OTEL_BSP_MAX_QUEUE_SIZE?: string;

  @Optional()
  @Text(countPattern, countAllowed)
  OTEL_BSP_MAX_EXPORT_BATCH_SIZE?: string;
}

const names = [
  'BIGPIPE_CONFIG',
  'BIGPIPE_HOST',
  'BIGPIPE_PORT',
  'BIGPIPE_GRPC_PORT',
  'BIGPIPE_MANAGEMENT_HOST',
  'BIGPIPE_MANAGEMENT_PORT',
  'BIGPIPE_MANAGEMENT_TOKEN',
  'BIGPIPE_CALLER',
  'BIGPIPE_DATA_DIR',
  'BIGPIPE_LOG_LEVEL',
  'BIGPIPE_WORKERS',
  'KAFKA_BROKERS',
  'BIGPIPE_KAFKA_PASSWORD',
  'BIGPIPE_REDIS_URL',
  'BIGPIPE_ADVERTISE',
  'BIGPIPE_CLUSTER_SECRET',
  'OTEL_EXPORTER_OTLP_ENDPOINT',
  'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
  'OTEL_EXPORTER_OTLP_PROTOCOL',
  'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL',
  'OTEL_TRACES_EXPORTER',
  'OTEL_SDK_DISABLED',
  'OTEL_TRACES_SAMPLER',
  'OTEL_TRACES_SAMPLER_ARG',
  'OTEL_BSP_SCHEDULE_DELAY',
  'OTEL_BSP_MAX_QUEUE_SIZE',
  'OTEL_BSP_MAX_EXPORT_BATCH_SIZE',
] as const satisfies readonly (keyof Environment)[];

export interface LoadedEnvironment {
  readonly environment: Environment;
  /** Everything in it, for `${env:NAME}` in the configuration. */
  readonly variables: Variables;
  /** Gives ConfigService to whoever wants it, filled with the same environment. */
  readonly module: DynamicModule;
}

/** Reads .env and the process's environment (which wins over .env). Throws SettingsError with all faults. */
export async function loadEnvironment(): Promise<LoadedEnvironment> {
  let environment = new Environment();
  let variables: Variables = {};
  const module = await ConfigModule.forRoot({
    isGlobal: true,
    validate: (raw) => {
      environment = readEnvironment(raw);
      variables = raw;
      return Object.fromEntries(Object.entries(environment));
    },
  });
  return { environment, variables, module };
}

function readEnvironment(raw: Record<string, unknown>): Environment {
  const environment = new Environment();
  for (const name of names) {
    const value = raw[name];
    if (typeof value === 'string' && value !== '') Object.assign(environment, { [name]: value });
  }
  const faults = validateSync(environment).map(
    (fault) =>
      `${fault.property}: found ${new Mask().shown(fault.value, fault.property)}, allowed: ${Object.values(fault.constraints ?? {})[0]}`,
  );
  if (faults.length > 0) throw new SettingsError('environment', faults);
  return environment;
}
