import { type Labels, LabelsBuilder, METRIC_NAME } from '../../model/index.ts';
import type { Expr, VectorSelector } from '../parse/ast.ts';
import { type ColumnSeries, hasSamples, type StepGrid } from './columns.ts';
import { mergeEqualLabels } from './combine.ts';
import { executionError, type QueryContext } from './context.ts';
import { sharedReference } from './info-reference.ts';
import { IDENTIFYING, identifyingMatchers, infoRequest, type InfoRequest } from './info-series.ts';
import { selectInstant } from './instant-selector.ts';
import { newSeriesBytes } from './memory.ts';
import type { SelectorReader } from './select.ts';

/** The arguments of `info`: the first one evaluated, too. */
export interface InfoCall {
  readonly baseExpr: Expr;
  readonly base: readonly ColumnSeries[];
  readonly selector: VectorSelector | undefined;
}

/**
 * `info(v, {…})`: adds to each series the labels of info series that come from the same target (Prometheus `evalInfo`).
 * @throws PromletError `promql/execution` when info series contradict each other
 */
export async function evaluateInfo(
  call: InfoCall,
  grid: StepGrid,
  context: QueryContext,
  reader: SelectorReader,
): Promise<readonly ColumnSeries[]> {
  const request = infoRequest(call.selector);
  const isInfoSeries = ({ labels }: ColumnSeries): boolean => {
    const name = labels.get(METRIC_NAME);
    return request.nameMatchers.every((matcher) => matcher.matches(name));
  };
  const enriched = call.base.filter((series) => hasSamples(series) && !isInfoSeries(series));
  const found = await selectInfoSeries(call.baseExpr, enriched, request, grid, context, reader);
  const join = new InfoJoin(found, request, grid, context);
  join.rejectDuplicates(call.base);
  const out: ColumnSeries[] = [];
  for (const series of call.base) {
    if (isInfoSeries(series)) out.push(series);
    else out.push(...join.enrich(series));
    if (context.spend(grid.count)) await context.pause();
  }
  return mergeEqualLabels(out.filter(hasSamples), context);
}

/** The info series over the grid; their values are the times of their samples, in seconds. */
async function selectInfoSeries(
  baseExpr: Expr,
  base: readonly ColumnSeries[],
  request: InfoRequest,
  grid: StepGrid,
  context: QueryContext,
  reader: SelectorReader,
): Promise<ColumnSeries[]> {
  const { at, offsetMs } = sharedReference(baseExpr) ?? { at: undefined, offsetMs: 0 };
  const { start, end } = baseExpr;
  const out: ColumnSeries[] = [];
  for (const identifying of identifyingMatchers(base.map(({ labels }) => labels))) {
    const matchers = [...identifying, ...request.dataMatchers, ...request.nameMatchers];
    const selector = {
      kind: 'vector',
      name: '',
      matchers,
      offset: offsetMs,
      at,
      extension: undefined,
      start,
      end,
    } as const;
    out.push(...(await selectInstant(selector, grid, context, reader, { func: 'info' }, 'float timestamp')));
  }
  return out;
}

/** Info series of one metric and one target. At each step the one with the newest sample counts. */
class InfoGroup {
  readonly series: ColumnSeries[] = [];

  /** Index of the newest at the step, −1 when there is none. @throws PromletError `promql/execution` when two are */
  newestAt(step: number): number {
    let newest = -1;
    for (const [i, one] of this.series.entries()) {
      if (one.present[step] === 0) continue;
      if (newest >= 0 && one.values[step] === this.series[newest]!.values[step]) {
        const timeMs = Math.round(one.values[step]! * 1000);
        const [existing, added] = [this.series[newest]!, one].map(({ labels }) => labels.toString());
        const what = 'found duplicate series for info metric';
        throw executionError(`${what}: existing ${existing} @ ${timeMs}, new ${added} @ ${timeMs}`);
      }
      if (newest < 0 || one.values[step]! > this.series[newest]!.values[step]!) newest = i;
    }
    return newest;
  }
}

class InfoJoin {
  readonly #grid: StepGrid;
  readonly #context: QueryContext;
  /** Names of the labels to add; undefined: all. */
  readonly #wanted: ReadonlySet<string> | undefined;
  /** Series without an info series are left out. */
  readonly #isRequired: boolean;
  /** By the identifying labels: one group for each info metric. */
  readonly #targets = new Map<string, Map<string, InfoGroup>>();

  constructor(infoSeries: readonly ColumnSeries[], request: InfoRequest, grid: StepGrid, context: QueryContext) {
    this.#grid = grid;
    this.#context = context;
    const { dataMatchers } = request;
    this.#wanted = dataMatchers.length === 0 ? undefined : new Set(dataMatchers.map(({ name }) => name));
    this.#isRequired = dataMatchers.some((matcher) => !matcher.matchesEmpty);
    for (const series of infoSeries) this.#add(series);
  }

  #add(series: ColumnSeries): void {
    const target = series.labels.keep(IDENTIFYING).key;
    let groups = this.#targets.get(target);
    if (groups === undefined) this.#targets.set(target, (groups = new Map()));
    const name = series.labels.get(METRIC_NAME);
    let group = groups.get(name);
    if (group === undefined) groups.set(name, (group = new InfoGroup()));
    group.series.push(series);
  }

  /** Wherever there is a series to enrich, each info metric of each target has a newest sample, or none. */
  rejectDuplicates(base: readonly ColumnSeries[]): void {
    for (const groups of this.#targets.values()) {
      for (const group of groups.values()) {
        for (let step = 0; group.series.length > 1 && step < this.#grid.count; step++) {
          if (base.some(({ present }) => present[step] === 1)) group.newestAt(step);
        }
      }
    }
  }

  /** The series with the labels of its info series: several series when these change from step to step. */
  enrich(base: ColumnSeries): ColumnSeries[] {
    const groups = [...(this.#targets.get(base.labels.keep(IDENTIFYING).key)?.values() ?? [])];
    const outputs = new Map<string, ColumnSeries>();
    /** The info series that count, and the output for them; the same for most steps. */
    const chosen = new Int32Array(groups.length).fill(-2);
    let output: ColumnSeries | undefined;
    let isFirst = true;
    for (let step = 0; step < this.#grid.count; step++) {
      if (base.present[step] === 0) continue;
      let isChanged = isFirst;
      for (let i = 0; i < groups.length; i++) {
        const newest = groups[i]!.newestAt(step);
        if (newest === chosen[i]) continue;
        chosen[i] = newest;
        isChanged = true;
      }
      isFirst = false;
      if (isChanged) output = this.#output(base, groups, chosen, outputs);
      if (output !== undefined) copyStep(base, output, step);
    }
    return [...outputs.values()];
  }

  #output(
    base: ColumnSeries,
    groups: readonly InfoGroup[],
    chosen: Int32Array,
    outputs: Map<string, ColumnSeries>,
  ): ColumnSeries | undefined {
    const infos = groups.flatMap(({ series }, i) => (chosen[i]! < 0 ? [] : [series[chosen[i]!]!.labels]));
    if (infos.length === 0 && this.#isRequired) return undefined;
    const labels = this.#enriched(base.labels, infos);
    let output = outputs.get(labels.key);
    if (output === undefined) {
      this.#context.takeBytes(newSeriesBytes(this.#grid, labels));
      const { count } = this.#grid;
      const columns = { values: new Float64Array(count), present: new Uint8Array(count) };
      const histograms = base.histograms === undefined ? {} : { histograms: [] };
      output = { labels, dropName: base.dropName, ...columns, ...histograms };
      outputs.set(labels.key, output);
    }
    return output;
  }

  /** Labels that the series has stay as they are. */
  #enriched(base: Labels, infos: readonly Labels[]): Labels {
    const added = new Map<string, string>();
    for (const info of infos) {
      for (const [name, value] of info) {
        if (name === METRIC_NAME || this.#wanted?.has(name) === false) continue;
        const existing = added.get(name);
        if (existing !== undefined && existing !== value) throw executionError(`conflicting label: ${name}`);
        if (base.get(name) === '') added.set(name, value);
      }
    }
    const builder = new LabelsBuilder(base);
    for (const [name, value] of added) builder.set(name, value);
    return builder.labels();
  }
}

function copyStep(from: ColumnSeries, to: ColumnSeries, step: number): void {
  to.present[step] = 1;
  to.values[step] = from.values[step]!;
  const histogram = from.histograms?.[step];
  if (histogram !== undefined) to.histograms![step] = histogram;
}
