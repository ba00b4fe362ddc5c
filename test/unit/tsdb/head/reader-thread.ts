/** Reads a head that another thread writes, over and over, and checks all that it reads. */
import assert from 'node:assert/strict';
import { parentPort, workerData } from 'node:worker_threads';
import { createKernels } from '../../../../lib/kernels/index.ts';
import { type FloatHistogram, type Labels, Matcher, PromletError, SampleColumns } from '../../../../lib/model/index.ts';
import type { Series } from '../../../../lib/storage/index.ts';
import { ChunkReader } from '../../../../lib/tsdb/head/chunk-reader.ts';
import { ChunkDecoder } from '../../../../lib/chunk/decoder.ts';
import { headSource } from '../../../../lib/tsdb/head/head-source.ts';
import { openHead } from '../../../../lib/tsdb/head/head-view.ts';
import { HeadReader } from '../../../../lib/tsdb/head/querier.ts';
import {
  FLAG_ENOUGH,
  FLAG_KEPT_FROM,
  FLAG_STOP,
  FLAG_WHOLE,
  histogramOf,
  INTERVAL_MS,
  isHistogram,
  LATE_INTERVALS,
  LATE_MS,
  type ReaderData,
  type ReaderReport,
  SERIES_PER_GROUP,
  storedChunk,
  valueOf,
} from './two-threads.ts';

const { head, flags, file } = workerData as ReaderData;
const words = new Int32Array(flags);
const kernels = createKernels();
const view = openHead(head, kernels);
const chunks = new ChunkReader(view, kernels, (place) => storedChunk(file, place));
const decoder = new ChunkDecoder(kernels);
const columns = new SampleColumns();
let selections = 0;
let whole = 0;
let samples = 0;
let sources = 0;
let late = 0;

function sameHistogram(found: FloatHistogram | undefined, expected: FloatHistogram): boolean {
  if (found?.count !== expected.count || found.sum !== expected.sum || found.zeroCount !== expected.zeroCount)
    return false;
  return found.positiveBuckets.every((count, i) => count === expected.positiveBuckets[i]);
}

/** Intervals of the first and the last sample, of which there is one in each. */
function checkSeries(labels: Labels): { group: number; index: number; first: number; last: number } {
  const group = Number(labels.get('group'));
  const index = Number(labels.get('i'));
  assert.equal(labels.get('__name__'), `m${index % 7}`, labels.toString());
  assert.equal(labels.get('pod'), `pod-${group}-${index >> 3}`);
  assert.equal(labels.size, 4);
  // Late samples may be older than the first scrape.
  const inOrder = columns.timestamps.subarray(0, columns.length).find((timeMs) => timeMs % INTERVAL_MS === 0);
  const first = (inOrder ?? 0) / INTERVAL_MS;
  let next = first;
  for (let i = 0; i < columns.length; i++) {
    const timeMs = columns.timestamps[i]!;
    const isLate = timeMs % INTERVAL_MS !== 0;
    const interval = isLate ? (timeMs - LATE_MS) / INTERVAL_MS : next++;
    const expectedMs = interval * INTERVAL_MS + (isLate ? LATE_MS : 0);
    const allowed = !isLate || (index === 0 && interval % LATE_INTERVALS === 0);
    const right = isHistogram(index)
      ? sameHistogram(columns.histograms?.[i], histogramOf(group, index, interval))
      : columns.values[i] === valueOf(group, index, interval);
    if (timeMs !== expectedMs || !allowed || !right) {
      assert.fail(`${labels.toString()}: sample ${i} from ${first} on is ${timeMs} ${columns.values[i]}`);
    }
    if (isLate) late++;
  }
  samples += columns.length;
  return { group, index, first, last: next - 1 };
}

const WHOLE_SELECTIONS = 3;

/** Ways to select, and how many series of a group each finds. */
const ALL = Array.from({ length: SERIES_PER_GROUP }, (_, index) => index);
const SELECTIONS: { matchers: Matcher[]; perGroup: number }[] = [
  { matchers: [new Matcher('=~', 'group', '.+')], perGroup: SERIES_PER_GROUP },
  { matchers: [new Matcher('!=', '__name__', 'm1')], perGroup: ALL.filter((i) => i % 7 !== 1).length },
  {
    matchers: [new Matcher('=', '__name__', 'm2'), new Matcher('!~', 'pod', 'none.*')],
    perGroup: ALL.filter((i) => i % 7 === 2).length,
  },
  { matchers: [new Matcher('=~', 'pod', 'pod-[0-9]+-[13]'), new Matcher('=', 'absent', '')], perGroup: 16 },
];

const PROJECTION = ['pod', 'i', 'none'];
/** And of which not. */
const HASHED_WITHOUT: ReadonlySet<string> = new Set(['pod', 'none']);

/** Undefined when the series was removed meanwhile: nobody waits for this reader. */
function labelsOf(series: Series): Labels | undefined {
  try {
    return series.labels;
  } catch (error) {
    assert.ok(error instanceof PromletError && error.code === 'storage/head-read', String(error));
    return undefined;
  }
}

async function selectAll(sorted: boolean, { matchers, perGroup }: (typeof SELECTIONS)[number]): Promise<void> {
  const keptFrom = Atomics.load(words, FLAG_KEPT_FROM);
  const reader = new HeadReader(view, chunks, keptFrom * INTERVAL_MS, Infinity);
  const projection = (selections >> 1) % 2 === 0 ? PROJECTION : undefined;
  const range = { startMs: keptFrom * INTERVAL_MS, endMs: Infinity };
  const hints = { ...range, hashWithout: HASHED_WITHOUT, ...(projection && { projection }) };
  const byHash = new Map<number, string>();
  const groups = new Map<number, { last: number; first: number; series: number }>();
  let before: Labels | undefined;
  for await (const batch of (await reader.select(sorted, hints, matchers)).batches) {
    for (const series of batch) {
      const labels = labelsOf(series);
      if (labels === undefined) continue;
      if (sorted && before !== undefined) assert.ok(before.compare(labels) < 0, 'sorted');
      before = labels;
      const others = labels.without(HASHED_WITHOUT).key;
      assert.equal(byHash.get(series.hashWithout!) ?? others, others);
      byHash.set(series.hashWithout!, others);
      if (projection !== undefined) assert.ok(series.projected!.equals(labels.keep(new Set(projection))));
      columns.clear();
      series.read(columns);
      if (columns.length === 0) {
        assert.ok(Atomics.load(words, FLAG_KEPT_FROM) > keptFrom, `${labels.toString()} is empty`);
        continue;
      }
      const { group, first, last } = checkSeries(labels);
      if (last < first) {
        // Late ones alone are left for a moment of a series that is being removed.
        assert.ok(Atomics.load(words, FLAG_KEPT_FROM) > keptFrom, `${labels.toString()} has no samples in order`);
        continue;
      }
      const found = groups.get(group);
      if (found === undefined) groups.set(group, { first, last, series: 1 });
      else {
        assert.equal(last, found.last, `${labels.toString()} of a scrape, but not the others`);
        found.series++;
        if (Atomics.load(words, FLAG_KEPT_FROM) === keptFrom) assert.equal(first, found.first);
      }
    }
  }
  selections++;
  if (Atomics.load(words, FLAG_KEPT_FROM) !== keptFrom) return;
  // Nothing was taken away meanwhile: each group is there with all its series and all samples since.
  whole++;
  Atomics.store(words, FLAG_WHOLE, whole);
  for (const [group, { first, series }] of groups) {
    assert.equal(series, perGroup, `group ${group}, ${matchers.join()}`);
    assert.ok(first === keptFrom || first > keptFrom, 'from the beginning of the range');
  }
}

async function readLabels(): Promise<void> {
  const reader = new HeadReader(view, chunks, -Infinity, Infinity);
  assert.deepEqual((await reader.labelNames({}, [])).values, ['__name__', 'group', 'i', 'pod']);
  const names = (await reader.labelValues('__name__', {}, [new Matcher('=~', 'pod', '.*-[0-4]')])).values;
  assert.deepEqual(names, ['m0', 'm1', 'm2', 'm3', 'm4', 'm5', 'm6']);
  const { values } = await reader.labelValues('pod', {}, []);
  assert.equal(new Set(values).size, values.length);
  assert.ok(values.length > 10 && values.every((value) => /^pod-\d+-[0-4]$/.test(value)));
}

/** A compaction of what does not change any more. */
function readSource(): void {
  const keptFrom = Atomics.load(words, FLAG_KEPT_FROM);
  const source = headSource(view, chunks, keptFrom * INTERVAL_MS, (keptFrom + 50) * INTERVAL_MS);
  const symbols = new Set(source.symbols());
  let before: Labels | undefined;
  for (const { labels, chunks: list } of source.series()) {
    if (before !== undefined) assert.ok(before.compare(labels) < 0);
    before = labels;
    for (const text of labels.pairs) assert.ok(symbols.has(text));
    columns.clear();
    for (const { encoding, bytes } of list) decoder.decode(encoding, bytes, -Infinity, Infinity, columns);
    if (columns.length > 0) checkSeries(labels);
  }
  sources++;
}

let error: string | undefined;
try {
  for (let i = 0; Atomics.load(words, FLAG_STOP) === 0; i++) {
    await selectAll(i % 2 === 0, SELECTIONS[i % SELECTIONS.length]!);
    if (i % 5 === 0) readSource();
    if (i % 5 === 1) await readLabels();
    if (whole > WHOLE_SELECTIONS && sources > 1 && late > 100) Atomics.store(words, FLAG_ENOUGH, 1);
  }
} catch (thrown) {
  error = thrown instanceof Error ? thrown.stack : String(thrown);
}
parentPort!.postMessage({ error, selections, whole, samples, late, sources } satisfies ReaderReport);
