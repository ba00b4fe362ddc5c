import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createLogger, nodeFileSystem } from '../../../../lib/env/index.ts';
import { createKernels, type Kernels } from '../../../../lib/kernels/index.ts';
import { type FloatHistogram, isStaleNaN, type Labels } from '../../../../lib/model/index.ts';
import { SampleBuffer } from '../../../../lib/tsdb/head/columns.ts';
import type { WalCommit } from '../../../../lib/tsdb/wal/commit.ts';
import { HistogramSamples } from '../../../../lib/tsdb/wal/histogram-record.ts';
import type { LogVisitor } from '../../../../lib/tsdb/wal/record-decoder.ts';
import { type LogReport, type ReplayOptions, replayLog } from '../../../../lib/tsdb/wal/replay.ts';
import { WalWriter, type WalWriterOptions } from '../../../../lib/tsdb/wal/writer.ts';
import { TestClock } from '../environment.ts';

export const kernels = createKernels();
export const silent = createLogger('silent');

/** What a log holds, row by row, as plain values. */
export type Row = readonly [kind: string, ref: number, ...values: unknown[]];

/** A number as text that tells -0, NaN and stale markers apart. */
export function valueText(value: number): string {
  return isStaleNaN(value) ? 'stale' : Object.is(value, -0) ? '-0' : String(value);
}

export function histogramText(histogram: FloatHistogram): string {
  return JSON.stringify(histogram, (_, value: unknown) =>
    typeof value === 'number' ? valueText(value) : value instanceof Float64Array ? Array.from(value, valueText) : value,
  );
}

/** A visitor that writes down all it is told. */
export function recorder(rows: Row[], { arena }: Kernels = kernels): Required<Omit<LogVisitor, 'encodedSeries'>> {
  return {
    series: (series) => series.forEach(({ ref, labels }) => rows.push(['series', ref, labels.toString()])),
    samples: (samples) => {
      for (let i = 0; i < samples.length; i++) {
        const value = arena.f64[samples.values / 8 + i]!;
        rows.push(['sample', arena.u32[samples.refs / 4 + i]!, arena.f64[samples.times / 8 + i]!, valueText(value)]);
      }
    },
    histograms: ({ refs, timesMs, histograms }) =>
      refs.forEach((ref, i) => rows.push(['histogram', ref, timesMs[i], histogramText(histograms[i]!)])),
    exemplars: (exemplars) =>
      exemplars.forEach(({ ref, exemplar: { labels, value, timestampMs } }) =>
        rows.push(['exemplar', ref, timestampMs, valueText(value), labels.toString()]),
      ),
    metadata: (metadata) =>
      metadata.forEach(({ ref, metadata: { type, unit, help } }) => rows.push(['metadata', ref, type, unit, help])),
    tombstones: (tombstones) =>
      tombstones.forEach(({ ref, interval }) => rows.push(['tombstone', ref, interval.minTimeMs, interval.maxTimeMs])),
    mmapMarkers: (markers) =>
      markers.forEach(({ ref, file, offsetBytes }) => rows.push(['marker', ref, file, offsetBytes])),
  };
}

/** Reads the log in `dir/wal`. */
export async function readLog(
  dir: string,
  options: Partial<ReplayOptions> = {},
): Promise<{ rows: Row[]; report: LogReport }> {
  const rows: Row[] = [];
  const report = await replayLog(
    {
      dir: join(dir, 'wal'),
      corruptDir: join(dir, 'corrupt'),
      fileSystem: nodeFileSystem,
      kernels,
      logger: silent,
      monotonicMs: () => performance.now(),
      damaged: 'leave',
      ...options,
    },
    recorder(rows),
  );
  return { rows, report };
}

/** A writer of the log in `dir/wal`, which is created. */
export function logWriter(dir: string, options: Partial<WalWriterOptions> = {}): WalWriter {
  mkdirSync(join(dir, 'wal'), { recursive: true });
  return new WalWriter({
    dir: join(dir, 'wal'),
    segment: 0,
    fileSystem: nodeFileSystem,
    clock: new TestClock(),
    logger: silent,
    kernels,
    compress: true,
    fsyncIntervalMs: 5000,
    ...options,
  });
}

export function samplesOf(rows: readonly (readonly [ref: number, timeMs: number, value: number])[]): SampleBuffer {
  const samples = new SampleBuffer(kernels.arena);
  samples.reserve(rows.length);
  rows.forEach(([ref, timeMs, value], i) => {
    kernels.arena.u32[samples.refs / 4 + i] = ref;
    kernels.arena.f64[samples.times / 8 + i] = timeMs;
    kernels.arena.f64[samples.values / 8 + i] = value;
  });
  samples.length = rows.length;
  return samples;
}

export function histogramsOf(
  rows: readonly (readonly [ref: number, timeMs: number, histogram: FloatHistogram])[],
): HistogramSamples {
  const samples = new HistogramSamples();
  for (const [ref, timeMs, histogram] of rows) samples.push(ref, timeMs, histogram);
  return samples;
}

export function seriesOf(rows: readonly (readonly [ref: number, labels: Labels])[]): NonNullable<WalCommit['series']> {
  const labels = new Map(rows);
  return { refs: [...labels.keys()], labelsOf: (ref) => labels.get(ref)! };
}

/** The rows that `recorder` would write down of a commit, in the order in which it is logged. */
export function rowsOf(commit: WalCommit): Row[] {
  const rows: Row[] = [];
  const visitor = recorder(rows);
  const { series, metadata = [], mmapMarkers = [], samples, histograms, exemplars = [], tombstones = [] } = commit;
  visitor.series((series?.refs ?? []).map((ref) => ({ ref, labels: series!.labelsOf(ref) })));
  visitor.metadata(metadata);
  visitor.mmapMarkers(mmapMarkers);
  if (samples !== undefined) visitor.samples(samples);
  if (histograms !== undefined) {
    // Integer ones first, those with custom buckets behind the others.
    const order = ({ integer, schema }: FloatHistogram): number => (integer ? 0 : 2) + (schema === -53 ? 1 : 0);
    const all = histograms.refs.map((ref, i) => [ref, histograms.timesMs[i]!, histograms.histograms[i]!] as const);
    visitor.histograms(histogramsOf(all.sort(([, , a], [, , b]) => order(a) - order(b))));
  }
  visitor.exemplars(exemplars);
  visitor.tombstones(tombstones);
  return rows;
}
