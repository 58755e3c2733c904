// The Authorization header of a caller.

const token = (name: string, secret: string) => Buffer.from(`${name}:${secret}`).toString('base64');

export const basic = (name: string, secret: string) => `Basic ${token(name, secret)}`;
export const bearer = (name: string, secret: string) => `Bearer ${token(name, secret).replaceAll('=', '')}`;
