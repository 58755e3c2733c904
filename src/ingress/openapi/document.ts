// The shape of an OpenAPI 3.1 document, as far as the doors use it; each door writes its own piece.

export type Schema = Readonly<Record<string, unknown>>;

export interface Parameter {
  readonly name: string;
  readonly in: 'query' | 'header' | 'path';
  readonly description: string;
  readonly required?: boolean;
  readonly schema: Schema;
}

export interface Content {
  readonly schema: Schema;
  readonly example?: unknown;
}

export interface Answer {
  readonly description: string;
  readonly headers?: Readonly<
    Record<string, { readonly description: string; readonly schema: Schema; readonly required?: boolean }>
  >;
  readonly content?: Readonly<Record<string, Content>>;
}

export interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly tags: readonly string[];
  /** [] for one that needs no Authorization; {} among them: it may be left out. */
  readonly security?: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required: boolean; readonly content: Readonly<Record<string, Content>> };
  readonly responses: Readonly<Record<string, Answer>>;
}

/** What a door adds to the document. */
export interface Piece {
  readonly paths: Readonly<Record<string, Readonly<Partial<Record<'get' | 'post' | 'delete', Operation>>>>>;
  readonly schemas?: Readonly<Record<string, Schema>>;
}

export const refTo = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });
export const text = (description: string, more: Schema = {}): Schema => ({ type: 'string', description, ...more });
export const header = (name: string, description: string, schema: Schema): Parameter => ({
  name,
  in: 'header',
  description,
  schema,
});

export const eitherScheme = [{ basic: [] }, { bearer: [] }] as const;
