import type { Annotations } from '../../model/index.ts';
import type { SelectionPart } from '../../storage/index.ts';
import type { StepGrid } from '../eval/columns.ts';
import type { QueryTimes } from '../eval/context.ts';
import type { PartRange } from './part-claims.ts';
import type { PartialAggregation } from './partial.ts';

/** An aggregation of which others may compute parts: plain data. */
export interface AssistTask {
  readonly query: string;
  readonly times: QueryTimes;
  readonly lookbackDeltaMs: number;
  /** What is left of the query's time. */
  readonly timeoutMs: number;
  /** Memory that one of those who help may take. */
  readonly maxBytes: number;
  /** Index of the aggregation in `distributionsOf` the query. */
  readonly distribution: number;
  readonly grid: StepGrid;
  readonly parts: readonly SelectionPart[];
  /** Of PartClaims for the parts. */
  readonly claims: SharedArrayBuffer;
  /** Of all parts, in units of 10 ns; an estimate. */
  readonly work: number;
  /** How many may share it, whoever asks among them. */
  readonly sharers: number;
}

/** What became of parts that were claimed together. */
export interface PartAnswer extends PartRange {
  /** Undefined when only whoever asked can go on with the series. */
  readonly partial: PartialAggregation | undefined;
  readonly annotations: Annotations['data'];
  /** That were held at a time, beside those of others. */
  readonly samples: number;
  /** That were read from storage. */
  readonly loadedSamples: number;
  /** Of NameLoss; undefined where names stay. */
  readonly nameHashes: Float64Array | undefined;
}

/** Others at work on a task. */
export interface Assistance {
  /** Of the parts that they have claimed from this one on. Rejects with what went wrong. */
  answer(from: number): Promise<PartAnswer>;
  /** Nothing more is wanted of them; what is waited for is rejected. */
  end(): void;
}

/** Whom to ask for help. */
export interface Assistants {
  /** How many may come. */
  readonly count: number;
  /** Returns at once: whether and when they come is up to them, their claims tell. */
  assist(task: AssistTask): Assistance;
}
