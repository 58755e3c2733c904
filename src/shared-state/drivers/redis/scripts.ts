// What has to happen in Redis in one go, in its own language.
import type { Redis } from 'ioredis';

/** KEYS: the key; ARGV: the value that must be there. */
const removeIf = `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`;

/** As takeFrom of bucket.ts, by Redis's own time. KEYS: the bucket; ARGV: tokens a second, burst, wanted. */
const takeTokens = `
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local burst = tonumber(ARGV[2])
local interval = 1000 / tonumber(ARGV[1])
local full = tonumber(redis.call('GET', KEYS[1]) or '0') or 0
full = math.min(math.max(full, now), now + burst * interval)
local level = burst - (full - now) / interval
local granted = math.min(tonumber(ARGV[3]), math.floor(level + 1e-6))
if granted <= 0 then return {0, string.format('%.6f', (1 - level) * interval)} end
full = full + granted * interval
redis.call('SET', KEYS[1], string.format('%.6f', full), 'PX', math.ceil(full - now) + 1000)
return {granted, '0'}`;

/** KEYS: the counter; ARGV: how many numbers, the highest that is known to be given away. Returns the last one. */
const reserve = `
if (tonumber(redis.call('GET', KEYS[1]) or '0') or 0) < tonumber(ARGV[2]) then redis.call('SET', KEYS[1], ARGV[2]) end
return redis.call('INCRBY', KEYS[1], ARGV[1])`;

/** ioredis sends their digests, and their text only to a Redis that does not know them. */
export const scripts = {
  removeIf: { lua: removeIf, numberOfKeys: 1 },
  takeTokens: { lua: takeTokens, numberOfKeys: 1 },
  reserve: { lua: reserve, numberOfKeys: 1 },
};

export interface ScriptedRedis extends Redis {
  removeIf(key: string, value: Buffer): Promise<number>;
  takeTokens(bucket: string, perSecond: number, burst: number, wanted: number): Promise<[number, string]>;
  reserve(counter: string, count: number, above: number): Promise<number>;
}
