import type { ScrapeConfig } from '../lib/config/index.ts';
import { PromletError } from '../lib/model/index.ts';

/** What of a configuration an agent scrapes. */
export interface ServedJobs {
  readonly jobs: readonly ScrapeConfig[];
  /** Why the other jobs are left out, by name. */
  readonly jobErrors: ReadonlyMap<string, string>;
}

/**
 * Parts the jobs that this agent can serve from those that it cannot.
 * @param check throws a PromletError for a job that cannot be served
 */
export async function servedJobs(
  jobs: readonly ScrapeConfig[],
  check: (job: ScrapeConfig) => Promise<void>,
): Promise<ServedJobs> {
  const served: ScrapeConfig[] = [];
  const jobErrors = new Map<string, string>();
  for (const job of jobs) {
    try {
      await check(job);
      served.push(job);
    } catch (error) {
      if (!(error instanceof PromletError)) throw error;
      jobErrors.set(job.job_name, error.message);
    }
  }
  return { jobs: served, jobErrors };
}

/** For a configuration that is taken whole or not at all. @throws PromletError `config/unsupported` naming every job left out */
export function requireAll({ jobErrors }: ServedJobs): void {
  if (jobErrors.size === 0) return;
  const reasons = [...jobErrors].map(([job, error]) => `job "${job}": ${error}`);
  throw new PromletError('config/unsupported', reasons.join('; '));
}
