// Where connections go to, in the parts that making one needs.

export interface Origin {
  readonly protocol: 'http:' | 'https:';
  /** With its port, as a request's host says it. */
  readonly host: string;
  /** A name or an address, an address without brackets. */
  readonly hostname: string;
  /** Empty for the scheme's own. */
  readonly port: string;
}

/** `text`: of an http or https URL, as parseCallUrl writes it. */
export function originOf(text: string): Origin {
  const { protocol, host, hostname, port } = new URL(text);
  return { protocol: protocol as Origin['protocol'], host, hostname: hostname.replace(/^\[(.*)\]$/, '$1'), port };
}
