// A gRPC receiver that notes every call, as bytes, and answers as the test's script says.
import {
  type Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceDefinition,
  type sendUnaryData,
} from '@grpc/grpc-js';

export interface GrpcArrival {
  readonly metadata: Metadata;
  readonly body: Buffer;
}

export type GrpcScript = (arrival: GrpcArrival, answer: sendUnaryData<Buffer>) => void;

const bytes = (value: Buffer) => value;
const service: ServiceDefinition = {
  take: {
    path: '/test.v1.Receiver/Take',
    requestStream: false,
    responseStream: false,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  },
};

/** End it with `close`. */
export class GrpcReceiver {
  readonly arrivals: GrpcArrival[] = [];
  script: GrpcScript = ({ body }, answer) => answer(null, body);
  port = 0;

  private constructor(private readonly server: Server) {}

  static async start(credentials = ServerCredentials.createInsecure(), options = {}): Promise<GrpcReceiver> {
    const server = new Server(options);
    const receiver = new GrpcReceiver(server);
    server.addService(service, {
      take: ({ metadata, request }: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) => {
        // A copy: it is a view of a frame.
        const arrival = { metadata, body: Buffer.from(request) };
        receiver.arrivals.push(arrival);
        receiver.script(arrival, answer);
      },
    });
    receiver.port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', credentials, (error, port) => (error === null ? resolve(port) : reject(error)));
    });
    return receiver;
  }

  url(scheme: 'grpc' | 'grpcs' = 'grpc'): string {
    return `${scheme}://127.0.0.1:${this.port}/test.v1.Receiver/Take`;
  }

  close(): void {
    this.server.forceShutdown();
  }
}
