/**
 * The block that the query benchmark reads: instances of one kind, each with 200 series as services have them. Everything
 * follows from the numbers of instances and scrapes: two runs write the same. Written in a process of its own.
 */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { nodeFileSystem, systemClock, systemRandom } from '../../lib/env/index.ts';
import { createKernels } from '../../lib/kernels/index.ts';
import { Labels } from '../../lib/model/index.ts';
import { BlockBuilder } from '../../lib/tsdb/index.ts';

export interface QueryShape {
  readonly instances: number;
  readonly scrapes: number;
  readonly stepMs: number;
  /** Of the first scrape. */
  readonly startMs: number;
}

export interface QueryData extends QueryShape {
  /** Where the block's directory will lie; exists. */
  readonly dir: string;
}

export const SERIES_PER_INSTANCE = 200;
const HANDLERS = 20;
const CODES = ['200', '204', '400', '404', '500'];
const BOUNDS = ['0.005', '0.01', '0.025', '0.05', '0.1', '0.25', '0.5', '1', '5', '+Inf'];
const TIMED_HANDLERS = 6;
const AREAS = 39;
const SERVICES = 10;
/** Counters by handler and code; buckets by handler and bound; gauges by area; one info series. */
const KINDS = {
  counters: HANDLERS * CODES.length,
  buckets: TIMED_HANDLERS * BOUNDS.length,
  gauges: AREAS,
} as const;

/** @returns the block's ULID */
export async function writeQueryData(data: QueryData): Promise<string> {
  const script = fileURLToPath(import.meta.url);
  const { stdout } = await promisify(execFile)(process.execPath, [script, JSON.stringify(data)]);
  return stdout.trim();
}

/** Instances are scraped one after the other, not all at once. */
export function scrapeTimeMs({ instances, stepMs, startMs }: QueryShape, instance: number, scrape: number): number {
  return startMs + scrape * stepMs + Math.floor((instance * stepMs) / instances);
}

/** Series of one instance and their values, scrape by scrape. */
export class InstanceWorkload {
  readonly values = new Float64Array(SERIES_PER_INSTANCE);
  readonly #instance: number;
  #state: number;

  constructor(instance: number) {
    this.#instance = instance;
    this.#state = (instance + 1) * 0x9e3779b1;
    this.values[SERIES_PER_INSTANCE - 1] = 1;
  }

  /** Every series has an `id` of its own, as those of containers have. */
  labels(i: number): Labels {
    const service = `service-${this.#instance % SERVICES}`;
    const instance = `10.0.${this.#instance >> 8}.${this.#instance & 255}:8080`;
    const id = `/pods/${hex(this.#instance * SERIES_PER_INSTANCE + i)}`;
    const common = { instance, service, id };
    const { counters, buckets, gauges } = KINDS;
    if (i < counters) {
      const handler = `/api/v1/${Math.floor(i / CODES.length)}`;
      return Labels.of({ __name__: 'http_requests_total', handler, code: CODES[i % CODES.length]!, ...common });
    }
    if (i < counters + buckets) {
      const bucket = i - counters;
      const handler = `/api/v1/${Math.floor(bucket / BOUNDS.length)}`;
      const le = BOUNDS[bucket % BOUNDS.length]!;
      return Labels.of({ __name__: 'http_request_duration_seconds_bucket', handler, le, ...common });
    }
    if (i < counters + buckets + gauges) {
      return Labels.of({ __name__: 'memory_bytes', area: `area-${i - counters - buckets}`, ...common });
    }
    return Labels.of({ __name__: 'build_info', version: `v1.${this.#instance % 3}`, ...common });
  }

  /** Lets time pass: counters count on, buckets stay cumulative, gauges wander. */
  scrape(): Float64Array {
    const { values } = this;
    const { counters, buckets, gauges } = KINDS;
    for (let i = 0; i < counters; i++) if ((i & 7) !== 7) values[i]! += this.#random() >>> 26;
    for (let i = counters; i < counters + buckets; i += BOUNDS.length) {
      let seen = 0;
      for (let j = 0; j < BOUNDS.length; j++) values[i + j]! += seen += this.#random() >>> 29;
    }
    for (let i = counters + buckets; i < counters + buckets + gauges; i++) {
      values[i] = 1e6 + (this.#random() >>> 12) * 4096;
    }
    return values;
  }

  #random(): number {
    return (this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) | 0);
  }
}

/** Eight digits that look like chance. */
function hex(n: number): string {
  return (Math.imul(n + 1, 0x9e3779b1) >>> 0).toString(16).padStart(8, '0');
}

async function write(data: QueryData): Promise<string> {
  const { dir, instances, scrapes, stepMs } = data;
  const builder = new BlockBuilder({
    dir,
    fileSystem: nodeFileSystem,
    clock: systemClock,
    random: systemRandom,
    kernels: createKernels(),
    headDurationMs: scrapes * stepMs,
  });
  const workloads = Array.from({ length: instances }, (_, instance) => new InstanceWorkload(instance));
  const refs: Uint32Array[] = [];
  const results = new Uint8Array(SERIES_PER_INSTANCE);
  for (let scrape = 0; scrape < scrapes; scrape++) {
    for (const [instance, workload] of workloads.entries()) {
      const appender = builder.appender();
      refs[instance] ??= Uint32Array.from({ length: SERIES_PER_INSTANCE }, (_, i) =>
        appender.series(workload.labels(i)),
      );
      const timeMs = scrapeTimeMs(data, instance, scrape);
      const refused = appender.appendColumns(refs[instance], workload.scrape(), SERIES_PER_INSTANCE, timeMs, results);
      if (refused > 0) throw new Error(`${refused} samples refused`);
      await appender.commit();
    }
  }
  const block = await builder.flush();
  if (block === undefined) throw new Error('no samples, no block');
  return block.meta.ulid;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(await write(JSON.parse(process.argv[2]!) as QueryData));
}
