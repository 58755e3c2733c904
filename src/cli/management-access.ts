// What the environment says about how to get in at a management listener.
import { loadEnvironment } from '../config-watch/env.js';

/** Throws SettingsError for an environment with faults. */
export async function managementAccess(): Promise<{ readonly token: string | null }> {
  const { environment } = await loadEnvironment();
  return { token: environment.BIGPIPE_MANAGEMENT_TOKEN ?? null };
}
