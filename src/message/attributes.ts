// A message's attributes by their CloudEvents names, and the headers that its caller asked to be forwarded.
import { type MessageHeaders, messageHeader } from './message.js';

/** `header.x-tenant` is the forwarded header x-tenant; everything else is an attribute. */
export const headerAttribute = 'header.';

const ownHeaders: Readonly<Record<string, string>> = {
  type: messageHeader.type,
  id: messageHeader.id,
  datacontenttype: messageHeader.contentType,
};

/** Undefined for one that the message does not have. */
export function attributeOf(headers: MessageHeaders, name: string): string | undefined {
  if (name.startsWith(headerAttribute)) return headers[messageHeader.forward + name.slice(headerAttribute.length)];
  const own = ownHeaders[name];
  const value = own === undefined ? undefined : headers[own];
  return value ?? decoded(headers[`${messageHeader.forward}ce-${name}`]);
}

/** As the HTTP binding of CloudEvents encodes them. */
function decoded(value: string | undefined): string | undefined {
  if (value === undefined || !value.includes('%')) return value;
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
