// A worker that must say something more about another node's request: it signs in that node's name, as it has the secret too.
import { nodeCallerHeader, nodeHeader, signed } from '../../target/mailbox/node-signature.js';

/** The headers for another path and body; as they were where no node has asked. */
type Headers = Readonly<Record<string, string | string[]>>;

export function signedAgain(
  headers: Headers,
  { path, body }: { readonly path: string; readonly body: Buffer },
  secret: string | null,
  nowMs: number,
): Headers {
  const { [nodeHeader]: signature, [nodeCallerHeader]: caller = '' } = headers;
  if (signature === undefined || secret === null) return headers;
  const [from = '', to = ''] = String(signature).split(' ');
  // The main process has let it in: the name can be read.
  return { ...headers, ...signed({ from, to, path, caller: decodeURIComponent(String(caller)), body }, secret, nowMs) };
}
