// The service in front: every calculation goes through the bus, and its answer comes back to who waits. `node front.ts PORT BUS`
import { fileURLToPath } from 'node:url';
import {
  credentials,
  loadPackageDefinition,
  Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceClientConstructor,
  type ServiceError,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { type CalculateRequest, type CalculateResponse, calculate, service } from './calculate.ts';

/** Of callers who bring no deadline. */
const patienceMs = 30_000;

interface BusAnswer {
  readonly status: number;
  readonly headers: readonly { readonly name: string; readonly value: string }[];
  readonly body: Buffer;
}

const [port, busAddress] = [Number(process.argv[2]), String(process.argv[3])];
const protos = fileURLToPath(new URL('../../proto', import.meta.url));
const definition = loadSync('bigpipe/v1/bigpipe.proto', { keepCase: true, defaults: true, includeDirs: [protos] });
const { bigpipe } = loadPackageDefinition(definition) as unknown as {
  bigpipe: { v1: { Bigpipe: ServiceClientConstructor } };
};
const bus = new bigpipe.v1.Bigpipe(busAddress, credentials.createInsecure());
const identity = new Metadata();
const nameAndSecret = Buffer.from(`calculator:${process.env['CALCULATOR_SECRET']}`).toString('base64');
identity.set('authorization', `Basic ${nameAndSecret}`);

const server = new Server();
server.addService(service, { Calculate: handle });

/** Every request has an id of its own, the bus's, which the caller gets as `request-id` in the initial metadata. */
function handle(
  call: ServerUnaryCall<CalculateRequest, CalculateResponse>,
  answer: sendUnaryData<CalculateResponse>,
): void {
  const message = {
    topic: 'calculate',
    body: calculate.requestSerialize(call.request),
    content_type: 'application/x-protobuf',
    idempotency_key: call.metadata.get('idempotency-key')[0]?.toString() ?? '',
  };
  const deadline = Math.min(Number(call.getDeadline()), Date.now() + patienceMs);
  const asking = bus['Call']?.({ message }, identity, { deadline }, (error: ServiceError | null, said: BusAnswer) => {
    if (error === null) answer(null, responseTo(call.request, said));
    else answer(failureOf(error));
  });
  asking?.on('metadata', (stored: Metadata) => {
    const told = new Metadata();
    for (const id of stored.get('bigpipe-message-id')) told.set('request-id', id);
    call.sendMetadata(told);
  });
  call.once('cancelled', () => asking?.cancel());
}

function responseTo({ name }: CalculateRequest, { status: said, headers, body }: BusAnswer): CalculateResponse {
  const message = `Hello! ${name}!This is Server: localhost:${bound}`;
  if (said === 200) return { ...calculate.responseDeserialize(body), message };
  const why = headers.find((header) => header.name === 'grpc-message')?.value ?? `status ${said}`;
  return { message: decodeURIComponent(why), successFlag: false, result: 0 };
}

/** What the bus says of the calculation is said as it is, except that its own words mean nothing to our callers. */
function failureOf({ code, details }: ServiceError): { code: status; details: string } {
  if (code === status.DEADLINE_EXCEEDED) return { code, details: 'time out!' };
  if (code === status.FAILED_PRECONDITION)
    return { code: status.UNAVAILABLE, details: `no worker could do it: ${details}` };
  return { code, details };
}

let bound = port;
server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, actual) => {
  if (error !== null) throw error;
  bound = actual;
  process.stdout.write(`calculator listens on 127.0.0.1:${actual}\n`);
});
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () =>
    server.tryShutdown(() => {
      bus.close();
      process.exit(0);
    }),
  );
}
