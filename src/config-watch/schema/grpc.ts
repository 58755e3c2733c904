// The user's keys about the gRPC listener; its TLS stands with the other listeners'.
import { AnyText, Optional, Whole } from './rules.js';

export class GrpcSection {
  /** Where calls come in over gRPC; 0 takes a free port. There is no such door when absent. */
  @Optional()
  @Whole(0, 65_535)
  'grpc.server.port'?: number;

  /** The address of that door. */
  @AnyText()
  'grpc.server.host': string = '0.0.0.0';

  /** Calls and streams that one connection may have open; what is more waits at the caller. */
  @Whole(1, 100_000)
  'grpc.server.max.streams': number = 1000;
}
