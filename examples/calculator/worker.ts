// Does the work: a gRPC receiver behind the bus. `node worker.ts PORT`
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData, status } from '@grpc/grpc-js';
import { type CalculateRequest, calculate, NotCalculable, resultOf, service } from './calculate.ts';

const port = Number(process.argv[2]);
const bytes = (value: Buffer) => value;

/** What arrives is read in the handler: bytes that are no request are refused, not tried again. */
const raw = { ...service['Calculate'], requestDeserialize: bytes, responseSerialize: bytes };

function read(request: Buffer): CalculateRequest {
  try {
    return calculate.requestDeserialize(request);
  } catch {
    throw new NotCalculable('the bytes are no CalculateRequest');
  }
}

const server = new Server();
server.addService({ Calculate: raw } as never, {
  Calculate: ({ request }: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) => {
    try {
      const result = resultOf(read(request));
      answer(null, calculate.responseSerialize({ message: '', successFlag: true, result }));
    } catch (error) {
      // Refused for good, or worth another attempt.
      const code = error instanceof NotCalculable ? status.INVALID_ARGUMENT : status.INTERNAL;
      answer({ code, details: error instanceof Error ? error.message : String(error) });
    }
  },
});
server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error) => {
  if (error !== null) throw error;
  process.stdout.write(`worker ${process.pid} is ready\n`);
});
for (const signal of ['SIGTERM', 'SIGINT'] as const)
  process.on(signal, () => server.tryShutdown(() => process.exit(0)));
