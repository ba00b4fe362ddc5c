import type { TargetGroup } from '../../lib/config/index.ts';

/** One entry of a job's service discovery. */
export interface Provider {
  /** What it knows now; undefined while it does not know yet. */
  groups(): readonly TargetGroup[] | undefined;
  stop(): Promise<void>;
}
