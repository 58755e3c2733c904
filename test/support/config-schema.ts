// config/bigpipe.schema.json from the classes that the loader validates with: rules and defaults from them, words from their comments.
import { readdirSync, readFileSync } from 'node:fs';
import { plainToInstance } from 'class-transformer';
import { getMetadataStorage } from 'class-validator';
import ts from 'typescript';
import { BrokerSection } from '#src/config-watch/schema/broker.js';
import { ClusterSection } from '#src/config-watch/schema/cluster.js';
import { EgressSection } from '#src/config-watch/schema/egress.js';
import { GrpcSection } from '#src/config-watch/schema/grpc.js';
import { KafkaSection } from '#src/config-watch/schema/kafka.js';
import { LogSection } from '#src/config-watch/schema/log.js';
import { MonitorSection } from '#src/config-watch/schema/monitor.js';
import { PullSection } from '#src/config-watch/schema/pull.js';
import { RedisSection } from '#src/config-watch/schema/redis.js';
import { ReplySection } from '#src/config-watch/schema/reply.js';
import { ServerSection } from '#src/config-watch/schema/server.js';
import { SubscriptionSection } from '#src/config-watch/schema/subscription.js';
import { TlsSection } from '#src/config-watch/schema/tls.js';
import { TransactionSection } from '#src/config-watch/schema/transaction.js';
import { WebhookSection } from '#src/config-watch/schema/webhook.js';

export type Schema = Record<string, unknown>;
type Class = new () => object;

const folder = new URL('../../src/config-watch/schema/', import.meta.url);

/** Of keys whose line in the class needs no comment. */
const plainWords: Readonly<Record<string, string>> = {
  'TopicEntry.name': 'The name that calls and consumers know the topic by.',
  'AclEntry.name': 'Who calls.',
  'KafkaSection.kafka.topics': 'The topics that may be written and read.',
  'KafkaSection.kafka.producer.acl': 'Who may call, and which topic the calls go to.',
  'KafkaSection.kafka.client.id': 'What Kafka calls this program in its logs and quotas.',
  'KafkaSection.kafka.producer.compression': 'How batches are written.',
  'KafkaSection.kafka.tls': 'Whether the connections to Kafka are encrypted.',
  'KafkaSection.kafka.tls.cert': 'A PEM file: the certificate that this program shows.',
  'KafkaSection.kafka.tls.key': 'A PEM file: the key of that certificate.',
  'KafkaSection.kafka.sasl.mechanism': 'How this program proves who it is; not at all when absent.',
  'KafkaSection.kafka.sasl.username': 'As whom.',
  'KafkaSection.kafka.sasl.password': 'Better a reference to the environment or a file than the password itself.',
  'BrokerSection.broker.driver': 'Where messages are kept.',
  'BrokerSection.broker.embedded.directory': 'Where the log is; one directory serves one process.',
};

/** A whole file, or one of a directory: which keys a file must have is known only of all together. */
export function configSchema(): Schema {
  const words = wordsOf();
  const sections = [
    LogSection,
    KafkaSection,
    SubscriptionSection,
    ServerSection,
    GrpcSection,
    EgressSection,
    GrpcSection,
    MonitorSection,
    RedisSection,
    ReplySection,
    TransactionSection,
    PullSection,
    ClusterSection,
    WebhookSection,
    TlsSection,
    BrokerSection,
  ];
  const properties = Object.assign({}, ...sections.map((section) => propertiesOf(section, words))) as Schema;
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'The configuration of bigpipe',
    type: 'object',
    properties: {
      $schema: { type: 'string', description: 'Where this schema is, for editors.' },
      $comment: { type: 'string', description: 'A word for readers.' },
      ...properties,
    },
    additionalProperties: false,
  };
}

function propertiesOf(section: Class, words: Words): Schema {
  const defaults = new section() as Schema;
  const rules = getMetadataStorage().getTargetValidationMetadatas(section, '', false, false);
  const properties: Schema = {};
  for (const { propertyName: key, context } of rules) {
    const { allowed, schema } = (context ?? {}) as { allowed?: string; schema?: Schema };
    if (allowed === undefined || schema === undefined) continue;
    const description = words(section, key);
    if (description === undefined) throw new Error(`${section.name}.${key} has no comment to describe it`);
    properties[key] = {
      description: `${description} Allowed: ${allowed}.`,
      ...withMembers(section, key, schema, words),
      ...(defaults[key] === undefined ? {} : { default: defaults[key] }),
    };
  }
  return properties;
}

function withMembers(section: Class, key: string, schema: Schema, words: Words): Schema {
  const { type, anyOf } = schema as { type?: string; anyOf?: Schema[] };
  if (type === 'array' && schema['items'] === undefined) {
    return { ...schema, items: objectOf(memberClass(section, key, [{}]), words) };
  }
  // Names of the user's own.
  if (typeof schema['additionalProperties'] === 'object') return schema;
  if (type === 'object') return objectOf(memberClass(section, key, {}), words);
  if (anyOf?.[0]?.['type'] !== 'object') return schema;
  return { anyOf: [objectOf(memberClass(section, key, {}), words), ...anyOf.slice(1)] };
}

function objectOf(section: Class, words: Words): Schema {
  const properties = propertiesOf(section, words);
  const defaults = new section() as Schema;
  const rules = getMetadataStorage().getTargetValidationMetadatas(section, '', false, false);
  const optional = rules.filter(({ type }) => type === 'conditionalValidation').map((rule) => rule.propertyName);
  const required = Object.keys(properties).filter((key) => defaults[key] === undefined && !optional.includes(key));
  return { type: 'object', properties, additionalProperties: false, ...(required.length > 0 ? { required } : {}) };
}

/** The class that the loader makes of what stands there. */
function memberClass(section: Class, key: string, value: unknown): Class {
  const instance = plainToInstance(section, { [key]: value }) as Schema;
  const member = instance[key];
  const made = Array.isArray(member) ? (member[0] as object) : (member as object);
  if (made.constructor === Object) throw new Error(`${section.name}.${key} does not say which class its members are`);
  return made.constructor as Class;
}

/** What the comment of a class's property says, in one line; that of the class it extends when it has none. */
type Words = (section: Class, key: string) => string | undefined;

function wordsOf(): Words {
  const comments = new Map<string, string>();
  for (const file of readdirSync(folder)) {
    const source = ts.createSourceFile(file, readFileSync(new URL(file, folder), 'utf8'), ts.ScriptTarget.Latest, true);
    for (const statement of source.statements) {
      if (!ts.isClassDeclaration(statement) || statement.name === undefined) continue;
      for (const member of statement.members) {
        const comment = ts.getJSDocCommentsAndTags(member).find(ts.isJSDoc)?.comment;
        if (!ts.isPropertyDeclaration(member) || typeof comment !== 'string') continue;
        const key = ts.isStringLiteral(member.name) ? member.name.text : member.name.getText();
        comments.set(`${statement.name.text}.${key}`, comment.replace(/\s+/g, ' '));
      }
    }
  }
  return (section, key) => {
    for (let at = section as Class | null; at?.name; at = Object.getPrototypeOf(at) as Class | null) {
      const found = comments.get(`${at.name}.${key}`) ?? plainWords[`${at.name}.${key}`];
      if (found !== undefined) return found;
    }
    return undefined;
  };
}
