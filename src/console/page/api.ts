// What the page asks of the listener that it came from, and with which token.

const tokenName = 'bigpipe.token';
/** Whoever does not answer by then is told as not answering. */
const timeoutMs = 20_000;

export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

export type Fields = Readonly<Record<string, unknown>>;

export class Api {
  constructor(private readonly unauthorized: () => void) {}

  get token(): string | null {
    return sessionStorage.getItem(tokenName);
  }

  /** Kept for this tab and this origin only, and sent in no address. */
  set token(value: string | null) {
    if (value === null) sessionStorage.removeItem(tokenName);
    else sessionStorage.setItem(tokenName, value);
  }

  get<T>(path: string): Promise<T> {
    return this.ask('GET', path);
  }

  post<T>(path: string, body: Fields | null = null): Promise<T> {
    return this.ask('POST', path, body);
  }

  delete<T>(path: string): Promise<T> {
    return this.ask('DELETE', path);
  }

  /** The answer itself, for a stream; rejects with ApiError. */
  async open(path: string, init: RequestInit): Promise<Response> {
    const { token } = this;
    const headers = new Headers(init.headers);
    if (token !== null) headers.set('authorization', `Bearer ${token}`);
    const response = await fetch(new URL(path, document.baseURI), {
      ...init,
      headers,
      credentials: 'omit',
      redirect: 'error',
      cache: 'no-store',
    }).catch((error: unknown) => {
      throw new ApiError(
        0,
        init.signal?.aborted === true ? 'no answer in time' : `bigpipe does not answer: ${String(error)}`,
      );
    });
    if (response.ok) return response;
    if (response.status === 401) this.unauthorized();
    throw new ApiError(response.status, await messageOf(response));
  }

  private async ask<T>(method: string, path: string, body: Fields | null = null): Promise<T> {
    const signal = AbortSignal.timeout(timeoutMs);
    const init: RequestInit =
      body === null
        ? { method, signal }
        : { method, signal, body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
    const response = await this.open(path, init);
    return (await response.json()) as T;
  }
}

async function messageOf(response: Response): Promise<string> {
  const text = await response.text().catch(() => '');
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    if (typeof message === 'string') return message;
    if (message !== undefined) return JSON.stringify(message);
  } catch {
    // No JSON: the text is all there is.
  }
  return text.slice(0, 300) || `answered ${response.status}`;
}

/** A path whose parts may hold anything. */
export const pathOf = (...parts: readonly string[]): string => parts.map(encodeURIComponent).join('/');
