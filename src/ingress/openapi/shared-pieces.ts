// What several doors say alike in the OpenAPI document.
import { durabilityHeader, durabilityWords } from '../durability-word.js';
import { idempotencyKeyForms, idempotencyScopeHeader, replayedHeader } from '../idempotency-key.js';
import { cacheHeader } from '../result-cache.js';
import { header, type Parameter, type Schema } from './document.js';

export const idSchema: Schema = { type: 'string', pattern: '^[A-Za-z0-9_:-]{1,128}$' };
export const durabilitySchema: Schema = { type: 'string', enum: durabilityWords };
const duration = '^([0-9]{1,5}(ms|s|m|h)?|P[0-9]{1,2}D|PT[0-9]{1,5}(H|M|S))$';
const dateTime: Schema = { type: 'string', format: 'date-time' };

export const delaySchema: Schema = { type: 'string', pattern: duration, examples: ['90s', 'PT15M', '3600'] };
export const momentSchema: Schema = { ...dateTime, description: 'At most 366 days from now.' };
export const expirySchema: Schema = { type: 'string', examples: ['2h', 'PT2H'] };

export const timeHeaders: readonly Parameter[] = [
  header('bigpipe-delay', 'Not sent before so much time has gone by.', delaySchema),
  header('bigpipe-not-before', 'Not sent before this moment. Not beside bigpipe-delay.', momentSchema),
  header(
    'bigpipe-expires',
    'Not sent from this moment on, or so much time from now: then it is a dead letter.',
    expirySchema,
  ),
];

export const idempotencyHeader = header(
  'Idempotency-Key',
  `The same call again under this key is answered as before and not stored twice: ${idempotencyKeyForms}.`,
  { type: 'string', pattern: '^[A-Za-z0-9_-]{1,255}$' },
);

export const callbackHeader = header(
  'bigpipe-callback-url',
  'The receiver’s answer is delivered there, as a message of its own.',
  { type: 'string', format: 'uri', pattern: '^https?://' },
);

export const cacheParameter = header(
  cacheHeader,
  'Beside a wait: for so many seconds the same call is answered as this one is, and not made again.',
  { type: 'string', pattern: '^[1-9][0-9]{0,3}$' },
);

export const deliverLimitSchema: Schema = {
  type: 'integer',
  minimum: 1,
  maximum: 1001,
  description: 'Attempts at most, where the subscription allows more; then it is a dead letter.',
};
export const deliverLimitHeader = header(
  'bigpipe-deliver-limit',
  'Attempts at most, where the subscription allows more; then it is a dead letter.',
  { type: 'string', pattern: '^[1-9][0-9]{0,2}$' },
);

export const idHeader = header(
  'bigpipe-message-id',
  'An id of your own; it is not checked for being used before.',
  idSchema,
);

const said = (description: string, schema: Schema) => ({ description, schema });

/** On what is stored. */
export const storedHeaders = {
  'bigpipe-message-id': { ...said('The id under which the receiver gets it.', idSchema), required: true },
  [durabilityHeader]: { ...said('How safe it is in this moment.', durabilitySchema), required: true },
  [replayedHeader]: said('true: the call was stored before, and this is what it was answered.', { const: 'true' }),
  [idempotencyScopeHeader]: said('How far an idempotency key is known.', { enum: ['node', 'shared'] }),
};

export const retryAfter = {
  'retry-after': {
    ...said('Seconds after which to come back.', { type: 'string', pattern: '^[0-9]+$' }),
    required: true,
  },
};
export const challenged = {
  'www-authenticate': { ...said('How to come in.', { type: 'string' }), required: true },
};
