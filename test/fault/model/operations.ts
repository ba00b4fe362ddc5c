import type { Random } from '../../../lib/env/index.ts';
import { type FloatHistogram, Labels, STALE_NAN } from '../../../lib/model/index.ts';
import { floatText, histogramText } from '../../tools/samples.ts';
import type { Fault } from '../faults.ts';

/** What a case begins with. All of a case is plain data: it can be printed, kept and cut down. */
export interface CheckedOptions {
  readonly blockDurationMs: number;
  /** 0: none. */
  readonly outOfOrderWindowMs: number;
  readonly walCompression: 'none' | 'snappy';
  readonly walFsyncIntervalMs: number;
  readonly walSegmentBytes: number;
  /** Blocks older than it, measured from the newest sample, may go. 0: none. */
  readonly retentionMs: number;
}

/** Numbers that JSON cannot carry are named; a histogram is told by its kind and how much it has counted. */
export type CaseValue = number | 'NaN' | 'stale' | '-0' | 'Infinity' | HistogramValue;

export interface HistogramValue {
  readonly kind: 'integer' | 'float' | 'custom' | 'gauge';
  readonly seen: number;
}

export interface Row {
  readonly series: number;
  readonly timeMs: number;
  readonly value: CaseValue;
}

export type Operation =
  /** The clock is put to `atMs`, then the rows are one commit. */
  | {
      readonly op: 'append';
      readonly atMs: number;
      readonly rows: readonly Row[];
    }
  /** Many commits, one each `stepMs`, of a run of series. */
  | {
      readonly op: 'scrapes';
      readonly series: number;
      readonly seriesCount: number;
      readonly startMs: number;
      readonly stepMs: number;
      readonly count: number;
    }
  | { readonly op: 'rollback'; readonly rows: readonly Row[] }
  | { readonly op: 'clock'; readonly atMs: number }
  | ({ readonly op: 'delete' | 'read' } & Selection)
  | { readonly op: 'compact' | 'clean' | 'snapshot' | 'restart' | 'crash' }
  | { readonly op: 'powerLoss'; readonly seed: number }
  /** Goes off in the nth mutation of the disk from here on. A power loss may follow the death of the process. */
  | {
      readonly op: 'fault';
      readonly after: number;
      readonly fault: Fault;
      readonly powerLossSeed?: number;
    };

/** `label` has `value`, in a range of time. */
export interface Selection {
  readonly label: string;
  readonly value: string;
  readonly minMs: number;
  readonly maxMs: number;
}

export interface Case {
  readonly options: CheckedOptions;
  readonly operations: readonly Operation[];
}

export const START_MS = 1_700_000_000_000;

/** Series are told by a number. */
export function seriesLabels(series: number): Labels {
  return Labels.of({
    __name__: ['up', 'requests_total', 'größe', 'm', 'm2'][series % 5]!,
    a: String(series % 3),
    series: String(series),
  });
}

export function valueOf(value: CaseValue): number | FloatHistogram {
  if (typeof value === 'number') return value;
  if (value === 'stale') return STALE_NAN;
  return typeof value === 'string' ? Number(value) : histogramOf(value);
}

export function textOf(value: CaseValue): string {
  const plain = valueOf(value);
  return typeof plain === 'number' ? floatText(plain) : histogramText(plain);
}

/** More `seen`, more counted, in more buckets; every fiftieth starts from nothing again. */
function histogramOf({ kind, seen }: HistogramValue): FloatHistogram {
  const since = seen % 50;
  const width = Math.min(4, 1 + Math.floor(since / 8));
  const share = kind === 'float' ? 0.25 : 1;
  const positive = Float64Array.from({ length: width }, (_, i) => (Math.floor(since / (i + 1)) + 1) * share);
  const negative = kind === 'custom' || since < 20 ? new Float64Array(0) : Float64Array.of(since * share);
  const zeroCount = kind === 'custom' ? 0 : since * share;
  return {
    ...(kind === 'float' ? {} : { integer: true }),
    counterResetHint: kind === 'gauge' ? 'gauge' : 'unknown',
    schema: kind === 'custom' ? -53 : 1,
    zeroThreshold: kind === 'custom' ? 0 : 0.01,
    zeroCount,
    count: [...positive, ...negative].reduce((sum, count) => sum + count, zeroCount),
    sum: seen * 1.5,
    positiveSpans:
      width > 2
        ? [
            { offset: kind === 'custom' ? 0 : -1, length: 2 },
            { offset: 1, length: width - 2 },
          ]
        : [{ offset: kind === 'custom' ? 0 : -1, length: width }],
    negativeSpans: negative.length > 0 ? [{ offset: 2, length: 1 }] : [],
    positiveBuckets: positive,
    negativeBuckets: negative,
    customValues: kind === 'custom' ? Float64Array.of(1, 2, 4, 8, 16) : new Float64Array(0),
  };
}

/** What a scrape of `scrapes` finds. */
export function scrapedValue(series: number, timeMs: number): number {
  return series % 2 === 0 ? Math.round((timeMs - START_MS) / 100) * (series + 1) : Math.sin(timeMs / 1e4 + series);
}

/** Makes a case of `steps` operations; the same from the same random numbers. */
export function generateCase(random: Random, steps: number): Case {
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)]!;
  const below = (limit: number): number => Math.floor(random() * limit);
  const blockDurationMs = pick([10_000, 60_000, 200_000]);
  const options: CheckedOptions = {
    blockDurationMs,
    outOfOrderWindowMs: pick([0, 0, blockDurationMs / 2, blockDurationMs * 3]),
    walCompression: pick(['none', 'snappy']),
    walFsyncIntervalMs: 5000,
    walSegmentBytes: pick([32_768, 131_072, 134_217_728]),
    retentionMs: pick([0, 0, blockDurationMs * 12]),
  };
  let cursorMs = START_MS;
  let firstSeries = 0;
  const stepMs = pick([100, 1000]);

  const time = (): number => {
    const luck = random();
    if (luck < 0.8) return cursorMs + below(4);
    if (luck < 0.9) return cursorMs - below(blockDurationMs);
    if (luck < 0.97) return cursorMs - below(blockDurationMs * 4);
    // A sample that far ahead moves the head's range away from all others: seldom.
    if (luck > 0.9995) return cursorMs + 599_999;
    return pick([cursorMs + 700_000, START_MS - 1, 0, -1, 8.64e15]);
  };
  const value = (series: number): CaseValue => {
    const luck = random();
    const kinds = ['integer', 'float', 'custom', 'gauge'] as const;
    if (series % 7 > 3 || luck < 0.02) {
      return luck > 0.97
        ? 'stale'
        : {
            kind: kinds[series % 4]!,
            seen: Math.floor((cursorMs - START_MS) / stepMs),
          };
    }
    if (luck > 0.95) return pick(['NaN', 'stale', '-0', 'Infinity'] as const);
    return luck < 0.5 ? below(5) : random() * 1000;
  };
  const rows = (): Row[] =>
    Array.from({ length: 1 + below(8) }, () => {
      const series = firstSeries + below(12);
      return { series, timeMs: time(), value: value(series) };
    });
  const selection = (): Selection => {
    const [label, text] = pick([
      ['series', String(firstSeries + below(12))],
      ['a', String(below(3))],
      ['__name__', pick(['up', 'größe', 'none'])],
      ['nothing', ''],
    ] as const);
    const from = cursorMs - below(blockDurationMs * 3);
    return {
      label,
      value: text,
      minMs: from,
      maxMs: from + below(blockDurationMs * 2),
    };
  };
  const fault = (): Fault => {
    const kind = pick(['ENOSPC', 'EIO', 'EMFILE', 'short', 'die', 'die'] as const);
    return {
      kind,
      taken: pick([0, 0.5, 1]),
      ...(random() < 0.2 ? { afterwards: true } : {}),
    };
  };

  const makers: readonly (readonly [weight: number, make: () => Operation])[] = [
    [
      50,
      () => ({
        op: 'append',
        atMs: (cursorMs += below(3) * stepMs),
        rows: rows(),
      }),
    ],
    [
      8,
      () => {
        const startMs = cursorMs;
        const count = 5 + below(150);
        cursorMs += count * stepMs;
        return {
          op: 'scrapes',
          series: firstSeries,
          seriesCount: 1 + below(12),
          startMs,
          stepMs,
          count,
        };
      },
    ],
    [2, () => ({ op: 'rollback', rows: rows() })],
    [3, () => ({ op: 'clock', atMs: (cursorMs += below(blockDurationMs)) })],
    [4, () => ({ op: 'read', ...selection() })],
    [3, () => ({ op: 'restart' })],
    [4, () => ({ op: 'crash' })],
    [3, () => ({ op: 'powerLoss', seed: below(1e6) })],
    [
      4,
      () => ({
        op: 'fault',
        after: below(random() < 0.5 ? 12 : 80),
        fault: fault(),
      }),
    ],
    [6, () => ({ op: 'compact' })],
    [4, () => ({ op: 'delete', ...selection() })],
    [2, () => ({ op: 'clean' })],
    [1, () => ({ op: 'snapshot' })],
  ];
  const weights = makers.reduce((sum, [weight]) => sum + weight, 0);
  const operations = Array.from({ length: steps }, () => {
    // Old series go, new ones come.
    if (random() < 0.03) firstSeries += below(6);
    let at = random() * weights;
    return makers.find(([weight]) => (at -= weight) < 0)![1]();
  });
  return { options, operations };
}
