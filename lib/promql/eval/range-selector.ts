import { isStaleNaN, type Labels, type SampleColumns } from '../../model/index.ts';
import type { MatrixSelector } from '../parse/ast.ts';
import { ReachableSamples } from './column-memory.ts';
import type { StepGrid } from './columns.ts';
import type { QueryContext } from './context.ts';
import { type LookupTimes, lookupTimes } from './lookup-times.ts';
import type { SelectorHints, SelectorReader } from './select.ts';

/** Samples of one series without stale markers, for windows (end − range, end] that end at the lookup times. */
export type RangeVisitor = (labels: Labels, samples: SampleColumns, dropName: boolean) => void | Promise<void>;

export type RangeExtensionKind = 'anchored' | 'smoothed';

/** Windows of an `anchored` or `smoothed` selector: samples next to them count too, as far as the lookback delta. */
export interface RangeExtension {
  readonly kind: RangeExtensionKind;
  /** Of samples before the start of a window, ms. */
  readonly beforeMs: number;
  /** Of samples behind the end of a window, ms. */
  readonly afterMs: number;
}

/** A range vector: a matrix selector or a subquery, evaluated series by series. */
export interface RangeVector {
  readonly times: LookupTimes;
  readonly rangeMs: number;
  readonly extension?: RangeExtension;
  visit(visitor: RangeVisitor): Promise<void>;
}

export function selectRange(
  expr: MatrixSelector,
  grid: StepGrid,
  context: QueryContext,
  reader: SelectorReader,
  hints: SelectorHints,
): RangeVector {
  const { selector } = expr;
  const rangeMs = expr.range as number;
  const { extension: kind } = selector;
  const beforeMs = kind === undefined ? 0 : context.lookbackDeltaMs;
  const afterMs = kind === 'smoothed' ? context.lookbackDeltaMs : 0;
  const times = lookupTimes(grid, selector.at as number | undefined, selector.offset as number);
  const scratch = new ReachableSamples(context.memory);
  return {
    times,
    rangeMs,
    ...(kind === undefined ? {} : { extension: { kind, beforeMs, afterMs } }),
    async visit(visitor) {
      const selectHints = { ...hints, stepMs: grid.stepMs, rangeMs };
      const minMs = times.firstMs - rangeMs - beforeMs + 1;
      await reader.read(selector, minMs, times.lastMs + afterMs, selectHints, ({ labels }, samples) => {
        return visitor(labels, withoutStaleMarkers(samples, scratch), false);
      });
    },
  };
}

/** The samples themselves when none is stale, else a copy in `scratch`. */
export function withoutStaleMarkers(samples: SampleColumns, scratch: SampleColumns): SampleColumns {
  const { values, length, histograms } = samples;
  const isStale = (i: number): boolean => isStaleNaN(histograms?.[i]?.sum ?? values[i]!);
  const memory = histograms === undefined && samples instanceof ReachableSamples ? samples.memory : undefined;
  if (memory !== undefined) {
    if (memory.wasm.hasStaleMarkers(values.byteOffset, length) === 0) return samples;
  } else {
    let first = 0;
    while (first < length && !isStale(first)) first++;
    if (first === length) return samples;
  }
  scratch.clear();
  for (let i = 0; i < length; i++) {
    if (isStale(i)) continue;
    const histogram = histograms?.[i];
    if (histogram === undefined) scratch.push(samples.timestamps[i]!, values[i]!);
    else scratch.pushHistogram(samples.timestamps[i]!, histogram);
    if (samples.starts !== undefined) scratch.setStart(samples.starts[i]!);
  }
  return scratch;
}

/** The floats alone: the samples themselves when there is no histogram, else a copy in `scratch`. */
export function floatsOnly(samples: SampleColumns, scratch: SampleColumns): SampleColumns {
  if (samples.histograms === undefined) return samples;
  scratch.clear();
  for (let i = 0; i < samples.length; i++) {
    if (samples.histograms[i] !== undefined) continue;
    scratch.push(samples.timestamps[i]!, samples.values[i]!);
    if (samples.starts !== undefined) scratch.setStart(samples.starts[i]!);
  }
  return scratch;
}
