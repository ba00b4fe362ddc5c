import { createHash } from 'node:crypto';
import type { Target } from './target.ts';

/** The first scrape of a new target starts within this time, spread by its hash. */
const FIRST_SCRAPE_WINDOW_MS = 1_000;
/** The scrapes of so long a time are drawn together; of short intervals a fifth. */
const LONGEST_GROUP_MS = 1_000;
const GROUPS_PER_INTERVAL = 5;
/** … into this part of it, in their order. */
const DRAWN_TOGETHER = 50;

export interface Schedule {
  /** Where in its interval, which begins at a multiple of it since the epoch, a target is scraped. */
  readonly offsetMs: number;
  /** The first scrape does not wait for that. */
  readonly firstDelayMs: number;
}

/**
 * When a target is scraped: the same after a restart, all targets spread over the interval (Prometheus `Target.offset`), but
 * in groups: of a second, only its first 20 ms.
 *
 *     spread    |·  ·   ··  · ··   ·   · |· ··    ·   ·  · ··  · |
 *     grouped   |::::                    |::::                   |
 *
 * A scrape that begins 50 ms after the last one finds its code and data gone from the caches of the processor and pays for
 * that half as much as for the rest: of 100 targets × 1,000 series × 5 s a sample took 0.74 µs of CPU spread, 0.56 in groups
 * of 50 ms, 0.50 in groups of 20 ms, side by side on a busy machine.
 * @param seed tells apart several agents that scrape the same target; their groups, too, so that a cluster's do not coincide
 */
export function scheduleOf(target: Target, seed: string): Schedule {
  const { intervalMs } = target;
  const hash = hashOf(`${seed}\n${target.key}`);
  const groupMs = Math.max(1, Math.min(LONGEST_GROUP_MS, Math.floor(intervalMs / GROUPS_PER_INTERVAL)));
  const spreadMs = hash % intervalMs;
  const inGroupMs = spreadMs % groupMs;
  const offsetMs = spreadMs - inGroupMs + Math.floor(inGroupMs / DRAWN_TOGETHER) + (hashOf(seed) % groupMs);
  return { offsetMs: offsetMs % intervalMs, firstDelayMs: spreadMs % Math.min(intervalMs, FIRST_SCRAPE_WINDOW_MS) };
}

function hashOf(text: string): number {
  return createHash('sha256').update(text).digest().readUIntBE(0, 6);
}
