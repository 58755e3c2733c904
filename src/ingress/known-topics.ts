// Whether the settings have a topic of that name; one of thousands is found as fast as one of a few.
import type { Settings } from '../config-watch/settings.js';

const names = new WeakMap<Settings['topics'], ReadonlySet<string>>();

export function hasTopic({ topics }: Pick<Settings, 'topics'>, name: string): boolean {
  let known = names.get(topics);
  if (known === undefined) {
    known = new Set(topics.map((topic) => topic.name));
    names.set(topics, known);
  }
  return known.has(name);
}
