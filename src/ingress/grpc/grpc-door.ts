// THE PORT over the gRPC listener; what stands behind it is loaded only where it is open, since it costs 30 MB.
import { Global, type INestApplication, Module } from '@nestjs/common';
import type { Adjustable } from '../../config-watch/adjustable.js';
import type { Settings } from '../../config-watch/settings.js';

export abstract class GrpcDoor implements Adjustable {
  readonly name = 'grpc';

  /** Resolves to its port, null where there is none. Rejects with what the system says of the address. */
  abstract open(app: INestApplication): Promise<number | null>;

  abstract adjust(next: Settings): void;

  /** From here on health checks say that calls had better go elsewhere; they are served nevertheless. */
  abstract retire(): void;

  /** Whoever is being answered is answered, within a bound. Before open and twice is fine. */
  abstract close(): Promise<void>;
}

class ClosedGrpcDoor extends GrpcDoor {
  override async open(): Promise<null> {
    return null;
  }

  override adjust(): void {}

  override retire(): void {}

  override async close(): Promise<void> {}
}

@Global()
@Module({ providers: [{ provide: GrpcDoor, useClass: ClosedGrpcDoor }], exports: [GrpcDoor] })
export class ClosedGrpcModule {}
