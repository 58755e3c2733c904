// A gRPC client that knows of a server only what its reflection tells: no .proto file of ours.
import {
  type ChannelCredentials,
  Client,
  credentials,
  loadPackageDefinition,
  Metadata,
  type ServiceClientConstructor,
  type ServiceError,
} from '@grpc/grpc-js';
import {
  loadFileDescriptorSetFromBuffer,
  loadSync,
  type MessageTypeDefinition,
  type PackageDefinition,
} from '@grpc/proto-loader';
import { basic } from './credentials.js';

const options = { keepCase: true, longs: String, enums: String, arrays: true } as const;
/** What every client of reflection has; how it is spoken stands in there. */
const reflection = loadSync(
  new URL('../../node_modules/@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto', import.meta.url)
    .pathname,
  { ...options, bytes: Buffer, oneofs: true, defaults: true },
);

interface Detail {
  readonly type: string;
  readonly [field: string]: unknown;
}

export interface Refusal {
  readonly code: number;
  readonly message: string;
  readonly details: readonly Detail[];
}

type Message = Record<string, unknown>;

export const asSystem1 = metadataOf({ authorization: basic('system-1', 'i am good') });

export function metadataOf(entries: Readonly<Record<string, string>>): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(entries)) metadata.set(name, value);
  return metadata;
}

/** End it with `close`. */
export class ReflectedClient {
  private constructor(
    private readonly client: Client,
    readonly services: readonly string[],
    private readonly definition: PackageDefinition,
    readonly stub: Client & Record<string, (...args: unknown[]) => unknown>,
  ) {}

  static async connect(address: string, channel: ChannelCredentials = credentials.createInsecure()) {
    const client = new Client(address, channel);
    const services = (await ask(client, { list_services: '' })) as { list_services_response: { service: Message[] } };
    const names = services.list_services_response.service.map(({ name }) => String(name));
    const files = await filesOf(client, names);
    const definition = loadFileDescriptorSetFromBuffer(descriptorSet(files), options);
    const root = loadPackageDefinition(definition) as unknown as {
      bigpipe: { v1: { Bigpipe: ServiceClientConstructor } };
    };
    const stub = new root.bigpipe.v1.Bigpipe(address, channel);
    return new ReflectedClient(client, names, definition, stub as never);
  }

  /** One request, one answer. Rejects with ServiceError. */
  ask(method: string, request: Message, metadata: Metadata = asSystem1, deadlineMs?: number): Promise<Message> {
    const deadline = deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs };
    return new Promise((resolve, reject) => {
      this.stub[method]?.(request, metadata, deadline, (error: ServiceError | null, answer: Message) =>
        error === null ? resolve(answer) : reject(error),
      );
    });
  }

  publish(message: Message, metadata: Metadata = asSystem1): Promise<Message> {
    return this.ask('Publish', { message }, metadata);
  }

  /** What is refused is refused in full. */
  async refusal(asking: Promise<unknown>): Promise<Refusal> {
    const error = await asking.then(
      (answer) => {
        throw new Error(`it was not refused: ${JSON.stringify(answer)}`);
      },
      (reason: ServiceError) => reason,
    );
    const [bytes] = error.metadata?.get('grpc-status-details-bin') ?? [];
    const details = bytes === undefined ? [] : this.detailsIn(bytes as Buffer);
    return { code: error.code, message: error.details, details };
  }

  detailsIn(bytes: Buffer): Detail[] {
    const { details } = this.type('google.rpc.Status').deserialize(bytes) as {
      details: { type_url: string; value: Buffer }[];
    };
    return details.map(({ type_url: url, value }) => {
      const type = url.replace('type.googleapis.com/', '');
      return { type: type.replace('google.rpc.', ''), ...this.type(type).deserialize(value) };
    });
  }

  close(): void {
    this.client.close();
    this.stub.close();
  }

  private type(name: string) {
    return this.definition[name] as MessageTypeDefinition<object, object>;
  }
}

/** One question over a stream of its own. */
function ask(client: Client, question: Message): Promise<Message> {
  const method = (reflection['grpc.reflection.v1.ServerReflection'] as Record<string, never>)[
    'ServerReflectionInfo'
  ] as unknown as {
    path: string;
    requestSerialize: (value: object) => Buffer;
    responseDeserialize: (bytes: Buffer) => Message;
  };
  return new Promise((resolve, reject) => {
    const call = client.makeBidiStreamRequest(method.path, method.requestSerialize, method.responseDeserialize);
    call.on('data', (answer: Message) => {
      resolve(answer);
      call.end();
    });
    call.on('error', reject);
    call.write(question);
  });
}

/** Each service's file with all that it needs, once each. */
async function filesOf(client: Client, services: readonly string[]): Promise<readonly Buffer[]> {
  const files = new Map<string, Buffer>();
  for (const symbol of services) {
    const answer = (await ask(client, { file_containing_symbol: symbol })) as {
      file_descriptor_response: { file_descriptor_proto: Buffer[] };
    };
    for (const file of answer.file_descriptor_response.file_descriptor_proto) files.set(file.toString('base64'), file);
  }
  return [...files.values()];
}

/** google.protobuf.FileDescriptorSet: `repeated FileDescriptorProto file = 1`. */
function descriptorSet(files: readonly Buffer[]): Buffer {
  return Buffer.concat(files.flatMap((file) => [Buffer.from([0x0a]), varint(file.length), file]));
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Buffer.from([...bytes, rest]);
}
