import { quote } from '../../model/index.ts';
import type { QueryContext } from '../eval/context.ts';
import type { SourceRange } from '../parse/ast.ts';

/** What there is to say of the histograms of a series, in Prometheus's words (`util/annotations`). */
const NOTES = {
  mixedSamples: { level: 'warn', text: 'encountered a mix of histograms and floats for metric name ' },
  mixedSchemas: {
    level: 'warn',
    text: 'vector contains a mix of histograms with exponential and custom buckets schemas for metric name ',
  },
  notCounter: { level: 'warn', text: 'this native histogram metric is not a counter: ' },
  notGauge: { level: 'warn', text: 'this native histogram metric is not a gauge: ' },
  ignored: {
    level: 'info',
    text: 'ignored histograms in a range containing both floats and histograms for metric name ',
  },
  conflictingHints: { level: 'warn', whole: 'conflicting counter resets during histogram aggregation' },
  reconciledAddition: { level: 'info', whole: 'mismatched custom buckets were reconciled during addition' },
  reconciledSubtraction: { level: 'info', whole: 'mismatched custom buckets were reconciled during subtraction' },
  reconciledAggregation: { level: 'info', whole: 'mismatched custom buckets were reconciled during aggregation' },
} as const;

/** Annotations about series with histograms: each is made once a series, not once a step. */
export class HistogramNotes {
  readonly #at: SourceRange;
  readonly #context: QueryContext;
  readonly #said = new Set<keyof typeof NOTES>();
  #metric = '';

  constructor(context: QueryContext, at: SourceRange) {
    this.#at = at;
    this.#context = context;
  }

  begin(metric: string): void {
    this.#metric = metric;
    this.#said.clear();
  }

  say(kind: keyof typeof NOTES): void {
    if (this.#said.has(kind)) return;
    this.#said.add(kind);
    const note = NOTES[kind];
    const message = 'whole' in note ? note.whole : note.text + quote(this.#metric);
    if (note.level === 'warn') this.#context.warn(message, this.#at);
    else this.#context.info(message, this.#at);
  }
}
