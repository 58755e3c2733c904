// What every gRPC server is expected to serve: health checks, and reflection of what it serves.
import type { Server, ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation, protoPath as healthProtoPath } from 'grpc-health-check';
import { mended } from './descriptors.js';
import { definition, packageName, serviceName } from './protos.js';

const own = `${packageName}.${serviceName}`;
const health = 'grpc.health.v1.Health';

/** Of a call, what is needed here. */
interface StreamCall {
  end(): unknown;
  pause(): unknown;
  resume(): unknown;
  readonly writableNeedDrain: boolean;
  on(event: 'data', listener: () => void): unknown;
  once(event: 'close' | 'drain', listener: () => void): unknown;
}

type Handle = (call: StreamCall) => void;

export class StandardServices {
  private readonly health = new HealthImplementation({ '': 'SERVING', [own]: 'SERVING' });
  private readonly watches = new Set<StreamCall>();

  addTo(server: Server): void {
    this.health.addToServer(handling(server, 'watch', (watch) => (call) => this.watch(call, watch)));
    const reflected = mended({ ...definition, ...loadSync(healthProtoPath, { keepCase: true }) });
    const reflection = new ReflectionService(reflected, { services: [own, health] });
    reflection.addToServer(handling(server, 'ServerReflectionInfo', asFastAsItIsRead));
  }

  retire(): void {
    for (const name of ['', own]) this.health.setStatus(name, 'NOT_SERVING');
  }

  /** They would last as long as whoever watches. */
  endWatches(): void {
    for (const call of this.watches) call.end();
  }

  private watch(call: StreamCall, watch: Handle): void {
    this.watches.add(call);
    call.once('close', () => this.watches.delete(call));
    watch(call);
  }
}

/** The server, with another handler around one that the library adds to it. */
function handling(server: Server, method: string, around: (handle: Handle) => Handle): Pick<Server, 'addService'> {
  return {
    addService: (service: ServiceDefinition, handlers: UntypedServiceImplementation) =>
      server.addService(service, { ...handlers, [method]: around(handlers[method] as never) as never }),
  };
}

/** The library answers whatever comes, also when nobody reads its answers. */
function asFastAsItIsRead(handle: Handle): Handle {
  return (call) => {
    handle(call);
    call.on('data', () => {
      if (!call.writableNeedDrain) return;
      call.pause();
      call.once('drain', () => call.resume());
    });
  };
}
