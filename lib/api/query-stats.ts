/** How long the parts of a query took; ms. */
export interface QueryTimings {
  readonly evaluatedMs: number;
  readonly queuedMs: number;
}

/**
 * `stats` of a query's answer (Prometheus `util/stats`), in seconds. Preparing and sorting are not timed apart: they are
 * part of the evaluation.
 */
export function statsJson({ evaluatedMs, queuedMs }: QueryTimings): string {
  const evaluated = evaluatedMs / 1000;
  const queued = queuedMs / 1000;
  return JSON.stringify({
    timings: {
      evalTotalTime: evaluated,
      resultSortTime: 0,
      queryPreparationTime: 0,
      innerEvalTime: evaluated,
      execQueueTime: queued,
      execTotalTime: queued + evaluated,
    },
  });
}
