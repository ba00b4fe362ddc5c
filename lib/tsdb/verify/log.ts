import { basename } from 'node:path';
import type { Clock, FileSystem, Logger } from '../../env/index.ts';
import type { Kernels } from '../../kernels/index.ts';
import type { SampleBuffer } from '../head/columns.ts';
import type { LogVisitor } from '../wal/record-decoder.ts';
import { replayLog } from '../wal/replay.ts';
import { PartFindings, type PartReport } from './report.ts';

interface LogOptions {
  readonly fileSystem: FileSystem;
  readonly kernels: Kernels;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Reads a log as start-up would, its newest checkpoint and what follows, and decodes every record. */
export async function verifyLog(options: LogOptions, dir: string): Promise<PartReport> {
  const { fileSystem, kernels, clock, logger } = options;
  const findings = new PartFindings(dir);
  const visitor = new CountingVisitor(kernels, findings);
  try {
    const { segments, records, damage } = await replayLog(
      {
        dir,
        fileSystem,
        kernels,
        logger,
        monotonicMs: () => clock.monotonicMs(),
        damaged: 'leave',
        // Nothing is put there.
        corruptDir: dir,
      },
      visitor,
    );
    findings.count('segments', segments);
    findings.count('records', records);
    for (const { file, offsetBytes, lostBytes, reason, torn } of damage) {
      const sentence = `${file}: ${reason} at ${offsetBytes}, ${lostBytes} bytes lost`;
      if (torn === true) findings.notes.push(sentence);
      else findings.fail(sentence);
    }
  } catch (error) {
    findings.failWith(error);
  }
  // The log of out-of-order samples leaves the naming of series to the other.
  if (visitor.unknownSeriesSamples > 0 && basename(dir) === 'wal') {
    findings.notes.push(`${visitor.unknownSeriesSamples} samples of series that the log does not name`);
  }
  return findings.report(fileSystem);
}

/** Counts what records hold. */
class CountingVisitor implements LogVisitor {
  readonly #kernels: Kernels;
  readonly #findings: PartFindings;
  readonly #refs = new Set<number>();
  /** Samples whose series the log does not have: those that were removed lie behind a checkpoint for a while. */
  unknownSeriesSamples = 0;

  constructor(kernels: Kernels, findings: PartFindings) {
    this.#kernels = kernels;
    this.#findings = findings;
  }

  series(series: readonly { readonly ref: number }[]): void {
    this.#findings.count('series', series.length);
    for (const { ref } of series) this.#refs.add(ref);
  }

  samples({ refs, length }: SampleBuffer): void {
    this.#findings.count('samples', length);
    const { u32 } = this.#kernels.arena;
    for (let at = refs >>> 2; at < (refs >>> 2) + length; at++)
      if (!this.#refs.has(u32[at]!)) this.unknownSeriesSamples++;
  }

  histograms({ length, refs }: { readonly length: number; readonly refs: readonly number[] }): void {
    this.#findings.count('histograms', length);
    for (const ref of refs) if (!this.#refs.has(ref)) this.unknownSeriesSamples++;
  }

  exemplars(exemplars: readonly unknown[]): void {
    this.#findings.count('exemplars', exemplars.length);
  }

  metadata(metadata: readonly unknown[]): void {
    this.#findings.count('metadata', metadata.length);
  }

  tombstones(tombstones: readonly unknown[]): void {
    this.#findings.count('tombstones', tombstones.length);
  }

  mmapMarkers(markers: readonly unknown[]): void {
    this.#findings.count('chunk markers', markers.length);
  }
}
