// /openapi.json as a program reads it: its operations, a client made of them, and whether an answer is one that it documents.
import { faultsOf, type Resolve, type Schema } from './json-schema.js';
import { type RawAnswer, rawRequest } from './raw-request.js';

interface Parameter {
  readonly name: string;
  readonly in: 'query' | 'header' | 'path';
  readonly required?: boolean;
  readonly schema: Schema;
}

interface Response {
  readonly headers?: Record<string, { readonly required?: boolean; readonly schema: Schema }>;
  readonly content?: Record<string, { readonly schema: Schema }>;
}

export interface Operation {
  readonly operationId: string;
  readonly method: string;
  readonly path: string;
  readonly security?: readonly object[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required: boolean; readonly content: Record<string, { readonly schema: Schema }> };
  readonly responses: Record<string, Response>;
}

interface Document {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, Omit<Operation, 'method' | 'path'>>>;
  readonly components: { readonly schemas: Record<string, Schema> };
}

/** What a client gives for one operation. */
export interface Given {
  readonly parameters?: Readonly<Record<string, string>>;
  readonly type?: string;
  readonly body?: string | Uint8Array;
  readonly authorization?: string;
}

export class OpenApi {
  readonly operations: readonly Operation[];

  private constructor(
    private readonly origin: string,
    readonly document: Document,
  ) {
    this.operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ ...operation, method: method.toUpperCase(), path })),
    );
  }

  static async of(origin: string): Promise<OpenApi> {
    return new OpenApi(origin, (await (await fetch(`${origin}/openapi.json`)).json()) as Document);
  }

  readonly resolve: Resolve = (schema) => {
    const reference = schema['$ref'] as string | undefined;
    if (reference === undefined) return schema;
    const found = this.document.components.schemas[reference.replace('#/components/schemas/', '')];
    if (found === undefined) throw new Error(`${reference} leads nowhere`);
    return this.resolve(found);
  };

  operation(id: string): Operation {
    const found = this.operations.find(({ operationId }) => operationId === id);
    if (found === undefined) throw new Error(`there is no operation ${id}`);
    return found;
  }

  /** Calls an operation, knowing nothing but the document. */
  call(id: string, { parameters = {}, type, body, authorization }: Given): Promise<RawAnswer> {
    const operation = this.operation(id);
    let path = operation.path;
    const query: string[] = [];
    const headers: Record<string, string> = {};
    for (const { name, in: place } of operation.parameters ?? []) {
      const value = parameters[name];
      if (value === undefined) continue;
      if (place === 'path') path = path.replace(`{${name}}`, encodeURIComponent(value));
      else if (place === 'query') query.push(`${name}=${encodeURIComponent(value)}`);
      else headers[name] = value;
    }
    const [first] = Object.keys(operation.requestBody?.content ?? {});
    const contentType = type ?? first;
    if (body !== undefined && contentType !== undefined) headers['content-type'] = contentType;
    if (authorization !== undefined) headers['authorization'] = authorization;
    const bytes = body === undefined ? [] : [typeof body === 'string' ? Buffer.from(body) : body];
    const url = `${this.origin}${path}${query.length > 0 ? `?${query.join('&')}` : ''}`;
    return rawRequest(url, { method: operation.method, headers, body: bytes });
  }

  /** What of an answer the document does not say. */
  undocumented(id: string, { status, headers, text }: RawAnswer): string[] {
    // A receiver's answer has whatever status and body the receiver gave it.
    const isReceivers = headers['bigpipe-reply'] === 'answered';
    const response = this.operation(id).responses[isReceivers ? 'default' : status];
    if (response === undefined) return [`status ${status} is not documented: ${text}`];
    const faults: string[] = [];
    for (const [name, { required, schema }] of Object.entries(response.headers ?? {})) {
      const value = headers[name];
      if (value === undefined && required === true) faults.push(`the header ${name} is missing`);
      if (value !== undefined) faults.push(...faultsOf(schema, value, this.resolve, name));
    }
    if (isReceivers) return faults;
    const type = String(headers['content-type'] ?? '').split(';')[0] as string;
    const content = Object.entries(response.content ?? {});
    if (content.length === 0) return text === '' ? faults : [...faults, `a body is not documented: ${text}`];
    const schema = response.content?.[type]?.schema;
    if (schema === undefined) return [...faults, `the type ${type} is not documented`];
    if (type.endsWith('ndjson')) {
      for (const line of text.trimEnd().split('\n'))
        faults.push(...faultsOf({ $ref: '#/components/schemas/LineAnswer' }, JSON.parse(line), this.resolve, 'line'));
    } else faults.push(...faultsOf(schema, JSON.parse(text), this.resolve));
    return faults;
  }
}
