/** Points of answers as JSON: in the kernel, in its twin, and by the writer of answers around the kernel, labels included. */
import { createHash, type Hash } from 'node:crypto';
import { pathToFileURL } from 'node:url';
import { queryData } from '../../lib/api/json.ts';
import { seededRandom } from '../../lib/env/index.ts';
import { createKernels } from '../../lib/kernels/index.ts';
import { printPointTwin } from '../../lib/kernels/twins/print.ts';
import { Labels } from '../../lib/model/index.ts';
import type { MatrixSeries, QueryValue } from '../../lib/promql/index.ts';

const START_MS = 1_700_000_000_000;
const STEP_MS = 15_000;
const POINTS = 241;
/** Bytes of a point, at most, with the comma behind it. */
const POINT_BYTES = 52;

/** What a series may look like: most answers are rates. */
const KINDS = {
  rates: (random) => Math.floor(random() * 1e4) / (285 + random()),
  counters: (random) => Math.floor(random() * 1e8),
  decimals: (random) => Math.floor(random() * 1e5) / 100,
} as const satisfies Readonly<Record<string, (random: () => number) => number>>;

export interface PrintFigures {
  readonly kernelNs: Readonly<Record<keyof typeof KINDS, number>>;
  readonly twinNs: Readonly<Record<keyof typeof KINDS, number>>;
  /** All kinds, a point of a range query and a series of an instant one. */
  readonly rangeNs: number;
  readonly instantNs: number;
  /** Of all that was written: the same on every machine. */
  readonly hash: string;
}

/** @param scale 1 for figures, less for a quick look that it still works */
export function run(scale: number): PrintFigures {
  const series = Math.max(20, Math.round(2_000 * scale));
  const random = seededRandom(1);
  const timestamps = Float64Array.from({ length: POINTS }, (_, i) => START_MS + i * STEP_MS);
  const hash = createHash('sha256');
  const kernelNs = { rates: 0, counters: 0, decimals: 0 };
  const twinNs = { rates: 0, counters: 0, decimals: 0 };
  const all: MatrixSeries[] = [];
  for (const kind of Object.keys(KINDS) as (keyof typeof KINDS)[]) {
    const columns = Array.from({ length: series }, () => timestamps.map(() => KINDS[kind](random)));
    const figures = printing(timestamps, columns, hash);
    kernelNs[kind] = figures.kernelNs;
    twinNs[kind] = figures.twinNs;
    all.push(...columns.map((values, i) => ({ labels: labelsOf(i), timestamps, values })));
  }
  const samples = all.map(({ labels, values }) => ({ labels, timestampMs: START_MS, value: values[0]! }));
  const writing = (value: QueryValue, count: number): number => {
    for (const piece of queryData(value)) hash.update(piece);
    return nsPer(count, () => {
      for (const piece of queryData(value)) if (piece.length === 0) throw new Error('an empty piece');
    });
  };
  const rangeNs = writing({ type: 'matrix', series: all }, all.length * POINTS);
  const instantNs = writing({ type: 'vector', samples }, samples.length);
  return { kernelNs, twinNs, rangeNs, instantNs, hash: hash.digest('hex').slice(0, 12) };
}

/** @throws Error when kernel and twin differ */
function printing(
  timestamps: Float64Array,
  columns: readonly Float64Array[],
  hash: Hash,
): { kernelNs: number; twinNs: number } {
  const { arena, wasm } = createKernels();
  const times = arena.allocate(POINTS * 8);
  const values = arena.allocate(columns.length * POINTS * 8);
  const out = arena.allocate(POINTS * POINT_BYTES + 32);
  arena.f64.set(timestamps, times / 8);
  for (const [i, column] of columns.entries()) arena.f64.set(column, values / 8 + i * POINTS);
  let end = out;
  const kernelNs = nsPer(columns.length * POINTS, () => {
    for (let i = 0; i < columns.length; i++) end = wasm.printPoints(times, values + i * POINTS * 8, POINTS, out);
  });
  let text = '';
  const twinNs = nsPer(columns.length * POINTS, () => {
    for (const column of columns) {
      text = '';
      for (let i = 0; i < POINTS; i++) text += `${printPointTwin(timestamps[i]!, column[i]!)},`;
    }
  });
  if (arena.buffer.toString('latin1', out, end) !== text) throw new Error('the kernel and its twin differ');
  hash.update(text);
  return { kernelNs, twinNs };
}

function labelsOf(i: number): Labels {
  return Labels.of({
    __name__: 'http_requests_total',
    instance: `10.0.0.${i % 256}:8080`,
    job: 'bench',
    namespace: `team-${i % 10}`,
    path: `/api/${i}`,
  });
}

/** The shortest of some runs: others work on the machine, too, and the first compiles. */
function nsPer(count: number, work: () => void): number {
  let shortestMs = Infinity;
  for (let run = 0; run < 5; run++) {
    const started = performance.now();
    work();
    shortestMs = Math.min(shortestMs, performance.now() - started);
  }
  return (shortestMs * 1e6) / count;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  console.log(run(Number(process.argv[2] ?? 1)));
}
