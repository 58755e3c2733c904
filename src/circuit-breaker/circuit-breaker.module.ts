// The circuit breaker, a policy large enough for a house of its own.
import { Module } from '@nestjs/common';
import { CircuitBreakerPolicy } from './circuit-breaker.policy.js';

@Module({ providers: [CircuitBreakerPolicy], exports: [CircuitBreakerPolicy] })
export class CircuitBreakerModule {}
