import { readFileSync, writeFileSync } from 'node:fs';

/** Clock ticks per second of /proc/PID/stat; 100 on every Linux that matters here. */
const TICKS_PER_SECOND = 100;

/** CPU seconds (user + system) that a process has used. Linux only. */
export function cpuSeconds(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

export interface Memory {
  readonly rssBytes: number;
  readonly peakRssBytes: number;
}

/** Resident memory now and at its highest. Linux only. */
export function memory(pid: number): Memory {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  const kib = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(text)?.[1] ?? NaN);
  return { rssBytes: kib('VmRSS') * 1024, peakRssBytes: kib('VmHWM') * 1024 };
}

/** Counts the highest resident memory anew from here on. Linux only. */
export function resetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}
