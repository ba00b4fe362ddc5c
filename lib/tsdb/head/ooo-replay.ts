import type { SeriesRef } from '../../storage/index.ts';
import type { HistogramSamples } from '../wal/histogram-record.ts';
import type { MmapMarker } from '../wal/mmap-marker-record.ts';
import type { LogVisitor } from '../wal/record-decoder.ts';
import { type ChunkFilePlace, isBehind } from './chunk-block.ts';
import type { SampleBuffer } from './columns.ts';
import type { Head } from './head.ts';
import { validateHistogram } from './histogram-rules.ts';
import type { HeadReplay } from './replay.ts';

/** Applies the log of out-of-order samples, after the other one (tsdb/head_wal.go `loadWBL`). */
export class OutOfOrderReplay implements LogVisitor {
  readonly #head: Head;
  readonly #replay: HeadReplay;
  readonly #lastOnFile: ChunkFilePlace;

  /**
   * @param replay of the other log, which knows the series
   * @param lastOnFile the newest out-of-order chunk found in `chunks_head/`
   */
  constructor(head: Head, replay: HeadReplay, lastOnFile: ChunkFilePlace) {
    this.#head = head;
    this.#replay = replay;
    this.#lastOnFile = lastOnFile;
  }

  samples(samples: SampleBuffer): void {
    const { outOfOrder, root, kernels } = this.#head;
    root.beginWrite();
    for (let i = 0; i < samples.length; i++) {
      const { u32, f64 } = kernels.arena;
      const ref = this.#replay.known(u32[samples.refs / 4 + i]!);
      if (ref !== 0) outOfOrder.insert(ref, f64[samples.times / 8 + i]!, f64[samples.values / 8 + i]!);
    }
    root.endWrite();
  }

  histograms({ refs, timesMs, histograms }: HistogramSamples): void {
    const { outOfOrder, root } = this.#head;
    root.beginWrite();
    for (let i = 0; i < refs.length; i++) {
      const histogram = histograms[i]!;
      if (!this.#replay.isValid(() => validateHistogram(histogram))) continue;
      const ref = this.#replay.known(refs[i]!);
      if (ref !== 0) outOfOrder.insert(ref, timesMs[i]!, NaN, histogram);
    }
    root.endWrite();
  }

  mmapMarkers(markers: readonly MmapMarker[]): void {
    const { outOfOrder, root } = this.#head;
    root.beginWrite();
    for (const { ref, ...place } of markers) {
      // A chunk that was lost does not stand for the samples in the log.
      if (isBehind(place, this.#lastOnFile)) continue;
      const known: SeriesRef = this.#replay.known(ref);
      if (known !== 0) outOfOrder.dropUnmapped(known);
    }
    root.endWrite();
  }
}
