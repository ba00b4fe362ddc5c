import type { Annotations } from '../../model/index.ts';
import type { SelectionPart } from '../../storage/index.ts';
import type { StepGrid } from '../eval/columns.ts';
import type { QueryTimes } from '../eval/context.ts';
import type { PartialAggregation } from './partial.ts';

/** An aggregation of which others may compute parts: plain data. */
export interface AssistTask {
  readonly query: string;
  readonly times: QueryTimes;
  readonly lookbackDeltaMs: number;
  /** Index of the aggregation in `distributionsOf` the query. */
  readonly distribution: number;
  readonly grid: StepGrid;
  readonly parts: readonly SelectionPart[];
  /** Of PartClaims for the parts. */
  readonly claims: SharedArrayBuffer;
}

/** What became of a part. */
export interface PartAnswer {
  /** Undefined when only whoever asked can go on with the series. */
  readonly partial: PartialAggregation | undefined;
  readonly annotations: Annotations['data'];
}

/** Others at work on a task. */
export interface Assistance {
  /** Of a part that they have claimed. Rejects with what went wrong. */
  answer(part: number): Promise<PartAnswer>;
  /** Nothing more is wanted of them. */
  end(): void;
}

/** Asks others for help. Returns at once: whether and when they come is up to them, their claims tell. */
export type Assist = (task: AssistTask) => Assistance;
