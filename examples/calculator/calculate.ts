// The service as both ends read it, and the arithmetic.
import { fileURLToPath } from 'node:url';
import { loadPackageDefinition, type ServiceClientConstructor, type ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

export interface CalculateRequest {
  readonly name: string;
  readonly method: string;
  readonly num1: number;
  readonly num2: number;
}

export interface CalculateResponse {
  readonly message: string;
  readonly successFlag: boolean;
  readonly result: number;
}

interface Method {
  readonly requestSerialize: (request: CalculateRequest) => Buffer;
  readonly requestDeserialize: (bytes: Buffer) => CalculateRequest;
  readonly responseSerialize: (response: CalculateResponse) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => CalculateResponse;
}

const file = fileURLToPath(new URL('calculate.proto', import.meta.url));
const definition = loadSync(file, { keepCase: true, defaults: true });

export const service = definition['CalculateService_proto.CalculateService'] as unknown as ServiceDefinition;
export const calculate = service['Calculate'] as unknown as Method;
export const CalculateClient = (
  loadPackageDefinition(definition)['CalculateService_proto'] as unknown as {
    CalculateService: ServiceClientConstructor;
  }
).CalculateService;

/** What cannot be calculated, whoever tries it. */
export class NotCalculable extends Error {}

/** Throws NotCalculable. */
export function resultOf({ method, num1, num2 }: CalculateRequest): number {
  switch (method) {
    case '+':
      return num1 + num2;
    case '-':
      return num1 - num2;
    case '*':
      return num1 * num2;
    case '/':
      if (num2 === 0) throw new NotCalculable('division by zero');
      return num1 / num2;
    default:
      throw new NotCalculable(`unknown method ${JSON.stringify(method)}, allowed: + - * /`);
  }
}
