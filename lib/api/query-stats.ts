import type { QuerySamples } from '../promql/index.ts';

/** A step's time in seconds, and how many samples. */
type StepCount = readonly [seconds: number, samples: number];

/** What Prometheus tells of a query (`BuiltinStats` of util/stats), as plain data; times in seconds. */
export interface QueryStats {
  readonly timings: {
    readonly evalTotalTime: number;
    readonly resultSortTime: number;
    readonly queryPreparationTime: number;
    readonly innerEvalTime: number;
    readonly execQueueTime: number;
    readonly execTotalTime: number;
  };
  /** When they were counted. */
  readonly samples?: {
    readonly totalQueryableSamplesPerStep?: readonly StepCount[];
    readonly totalQueryableSamples: number;
    readonly samplesReadPerStep?: readonly StepCount[];
    readonly samplesRead: number;
    readonly peakSamples: number;
  };
}

/** How long the parts of a query took; ms. */
export interface QueryTimings {
  readonly evaluatedMs: number;
  readonly queuedMs: number;
}

/** @param steps of the query, when its samples are to be told by step; in ms */
export function queryStats(
  { evaluatedMs, queuedMs }: QueryTimings,
  samples: QuerySamples | undefined,
  steps: { readonly startMs: number; readonly stepMs: number } | undefined,
): QueryStats {
  const evaluated = evaluatedMs / 1000;
  const queued = queuedMs / 1000;
  // Preparing and sorting are not timed apart: they are part of the evaluation.
  const timings = {
    evalTotalTime: evaluated,
    resultSortTime: 0,
    queryPreparationTime: 0,
    innerEvalTime: evaluated,
    execQueueTime: queued,
    execTotalTime: queued + evaluated,
  };
  if (samples === undefined) return { timings };
  const perStep = (counts: Float64Array): StepCount[] =>
    Array.from(counts, (count, i) => [(steps!.startMs + i * steps!.stepMs) / 1000, count]);
  return {
    timings,
    samples: {
      ...(steps !== undefined && { totalQueryableSamplesPerStep: perStep(samples.totalPerStep) }),
      totalQueryableSamples: samples.total,
      ...(steps !== undefined && { samplesReadPerStep: perStep(samples.readPerStep) }),
      samplesRead: samples.read,
      peakSamples: samples.peak,
    },
  };
}
