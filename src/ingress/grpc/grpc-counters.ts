// What comes in over gRPC, for /stats.
import { Injectable } from '@nestjs/common';
import { Stats } from '../../stats/stats.js';

@Injectable()
export class GrpcCounters {
  /** `streams`: open now. */
  readonly received = { received: 0, accepted: 0, refused: 0, streams: 0 };

  constructor(stats: Stats) {
    stats.register('grpcStats', () => this.received);
  }

  /** One message, accepted unless it is refused by being thrown. */
  async count<T>(work: () => Promise<T>): Promise<T> {
    this.received.received += 1;
    try {
      const done = await work();
      this.received.accepted += 1;
      return done;
    } catch (error) {
      this.received.refused += 1;
      throw error;
    }
  }
}
