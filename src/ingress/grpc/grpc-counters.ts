// What comes in over gRPC, for /stats and /metrics.
import { status } from '@grpc/grpc-js';
import { Injectable } from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';
import { Stats } from '../../stats/stats.js';
import { IngestMeter, type IngestOutcome } from '../ingest-meter.js';

/** Its name among the metrics. */
const door = 'grpc';

@Injectable()
export class GrpcCounters {
  /** `streams`: open now. */
  readonly received = { received: 0, accepted: 0, refused: 0, streams: 0 };

  constructor(
    private readonly meter: IngestMeter,
    stats: Stats,
  ) {
    stats.register('grpcStats', () => this.received);
  }

  /** One message, accepted unless it is refused by being thrown. */
  async count<T>(work: () => Promise<T>): Promise<T> {
    this.received.received += 1;
    try {
      const done = await work();
      this.received.accepted += 1;
      this.meter.count(door, 'accepted');
      return done;
    } catch (error) {
      this.received.refused += 1;
      this.meter.count(door, outcomeOf(error));
      throw error;
    }
  }
}

function outcomeOf(error: unknown): IngestOutcome {
  const code = error instanceof RpcException ? (error.getError() as { code?: status }).code : undefined;
  switch (code) {
    case undefined:
    case status.INTERNAL:
      return 'failed';
    case status.RESOURCE_EXHAUSTED:
    case status.UNAVAILABLE:
      return 'overloaded';
    default:
      return 'refused';
  }
}
