import assert from 'node:assert/strict';
import { join } from 'node:path';
import { nodeFileSystem } from '../../../lib/env/index.ts';
import { type LoadedChunk, loadHeadChunks } from '../../../lib/tsdb/head-chunks/load.ts';
import { listLog } from '../../../lib/tsdb/wal/log-files.ts';
import { type LogVisitor, RecordDecoder } from '../../../lib/tsdb/wal/record-decoder.ts';
import { Scratch } from '../../../lib/kernels/scratch.ts';
import { readSegment } from '../../../lib/tsdb/wal/segment-reader.ts';
import { type Dump, floatText, histogramText } from '../../tools/samples.ts';
import { kernels, silent } from '../../unit/tsdb/wal/log.ts';

/** What a log holds, by the labels of its series. */
export interface Logged {
  readonly dump: Dump;
  readonly exemplars: Record<string, unknown[]>;
  readonly metadata: Record<string, unknown>;
  readonly tombstones: unknown[];
  readonly markers: (readonly [ref: number, file: number, offsetBytes: number])[];
  /** Of the records; right when they are not compressed. */
  readonly types: Set<number>;
}

/** Reads the segments of a log. @param labelsOf series by ref: those of the `wal` are those of the `wbl` too */
export async function loggedIn(dir: string, log = 'wal', labelsOf = new Map<number, string>()): Promise<Logged> {
  const logged: Logged = { dump: {}, exemplars: {}, metadata: {}, tombstones: [], markers: [], types: new Set() };
  const visitor: Required<Omit<LogVisitor, 'encodedSeries'>> = {
    series: (series) => series.forEach(({ ref, labels }) => labelsOf.set(ref, labels.toString())),
    samples: ({ refs, times, values, length }) => {
      const { u32, f64 } = kernels.arena;
      for (let i = 0; i < length; i++) {
        const row: [number, string] = [f64[times / 8 + i]!, floatText(f64[values / 8 + i]!)];
        (logged.dump[labelsOf.get(u32[refs / 4 + i]!)!] ??= []).push(row);
      }
    },
    histograms: ({ refs, timesMs, histograms }) =>
      refs.forEach((ref, i) => {
        (logged.dump[labelsOf.get(ref)!] ??= []).push([timesMs[i]!, histogramText(histograms[i]!)]);
      }),
    exemplars: (rows) =>
      rows.forEach(({ ref, exemplar }) => (logged.exemplars[labelsOf.get(ref)!] ??= []).push(exemplar)),
    metadata: (rows) => rows.forEach(({ ref, metadata }) => (logged.metadata[labelsOf.get(ref)!] = metadata)),
    tombstones: (rows) =>
      rows.forEach(({ ref, interval }) =>
        logged.tombstones.push([labelsOf.get(ref)!, interval.minTimeMs, interval.maxTimeMs]),
      ),
    mmapMarkers: (rows) => rows.forEach(({ ref, file, offsetBytes }) => logged.markers.push([ref, file, offsetBytes])),
  };
  await eachRecord(join(dir, log), (type, address, length, flags) => {
    const decoder = new RecordDecoder(kernels, visitor);
    assert.equal(decoder.decode(address, length, flags), undefined);
    logged.types.add(type);
    decoder.release();
  });
  return logged;
}

/** Every record of a log, as it is stored. */
export async function eachRecord(
  dir: string,
  visit: (type: number, address: number, length: number, flags: number) => void,
): Promise<void> {
  const host = {
    fileSystem: nodeFileSystem,
    kernels,
    window: new Scratch(kernels.arena),
    record: new Scratch(kernels.arena),
    pause: () => undefined,
  };
  for (const index of listLog(nodeFileSystem, dir).segments) {
    const path = join(dir, String(index).padStart(8, '0'));
    const scan = await readSegment(host, path, (address, length, flags) => {
      visit(kernels.arena.u8[address]!, address, length, flags);
    });
    assert.deepEqual(scan.gaps, []);
  }
  host.window.release();
  host.record.release();
}

/** All chunks in `chunks_head/`, repaired where that is needed. */
export async function headChunksOf(
  dir: string,
): Promise<{ chunks: LoadedChunk[]; report: Awaited<ReturnType<typeof loadHeadChunks>> }> {
  const chunks: LoadedChunk[] = [];
  const report = await loadHeadChunks(
    {
      dir: join(dir, 'chunks_head'),
      corruptDir: join(dir, 'corrupt'),
      fileSystem: nodeFileSystem,
      kernels,
      logger: silent,
      monotonicMs: () => performance.now(),
      repair: true,
    },
    (chunk) => {
      const { ref, minTimeMs, maxTimeMs, encoding, outOfOrder, dataOffset, dataBytes } = chunk;
      const { file, offsetBytes, sampleCount } = chunk;
      chunks.push({
        ref,
        minTimeMs,
        maxTimeMs,
        encoding,
        outOfOrder,
        dataOffset,
        dataBytes,
        file,
        offsetBytes,
        sampleCount,
      });
    },
  );
  return { chunks, report };
}
