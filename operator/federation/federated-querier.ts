import { Annotations, Labels, type Matcher, sortUtf8 } from '../../lib/model/index.ts';
import { readRemote, type RemoteSeries, ResponseType, type WireCodec } from '../../lib/remote/index.ts';
import type { LabelAnswer, LabelHints, Querier, SelectHints, Series, SeriesSet } from '../../lib/storage/index.ts';
import { type AgentClient, bad, getJson, labelNameInPath, objects, selectionParameters, strings } from './agent-api.ts';
import type { Agent } from './directory.ts';
import { fanOut, type FanOutOptions } from './fan-out.ts';
import { type AgentSeries, mergeSeries } from './merged-series.ts';

export interface FederatedQuerierOptions extends Omit<FanOutOptions, 'signal'>, AgentClient {
  readonly codec: WireCodec;
}

/** What a series costs beside its encoded bytes: label strings and objects, bytes; an estimate. */
const SERIES_OVERHEAD_BYTES = 512;
/** Hint of Prometheus's API for a selection whose samples nobody will read. */
const SERIES_FUNC = 'series';

/** The agents as one storage. Samples come as encoded chunks and are decoded when a series is read. */
export class FederatedQuerier implements Querier {
  readonly #options: FederatedQuerierOptions;
  readonly #minTimeMs: number;
  readonly #maxTimeMs: number;
  #heldBytes = 0;

  constructor(options: FederatedQuerierOptions, minTimeMs: number, maxTimeMs: number) {
    this.#options = options;
    this.#minTimeMs = minTimeMs;
    this.#maxTimeMs = maxTimeMs;
  }

  /** Always sorted. Waits for all agents: which node is missing is known before the first series is used. */
  async select(_sorted: boolean, hints: SelectHints, matchers: readonly Matcher[]): Promise<SeriesSet> {
    const annotations = new Annotations();
    if (hints.func === SERIES_FUNC) return this.#selectLabels(hints, matchers, annotations);
    const startMs = Math.max(this.#minTimeMs, hints.startMs);
    const endMs = Math.min(this.#maxTimeMs, hints.endMs);
    const request = {
      queries: [{ startMs, endMs, matchers, hints: readHints(hints) }],
      // SAMPLES would have to be held whole before it could be charged to the budget.
      acceptedResponseTypes: [ResponseType.streamedXorChunks],
    };
    const { transport, codec, limits } = this.#options;
    const client = { transport, codec, limits: { maxAnswerBytes: limits.maxQueryBytes } };
    const answers = await this.#fanOut(hints.signal, annotations, async (agent, signal) => {
      const answer = await readRemote(client, `${agent.url}/api/v1/read`, request, signal);
      const series: RemoteSeries[] = [];
      try {
        for await (const batch of answer.batches) {
          for (const one of batch) this.#charge(one.sizeBytes + SERIES_OVERHEAD_BYTES);
          series.push(...batch);
        }
      } catch (error) {
        for (const one of series) this.#release(one.sizeBytes + SERIES_OVERHEAD_BYTES);
        throw error;
      }
      for (const warning of answer.annotations.warnings) annotations.warn(`node "${agent.node}": ${warning}`);
      return series;
    });
    const sources = answers.map(({ agent, value }): AgentSeries => ({ node: agent.node, series: sortSeries(value) }));
    const range = { codec, minTimeMs: startMs, maxTimeMs: endMs };
    return { batches: mergeSeries(sources, range, hints.signal), annotations };
  }

  async labelNames(hints: LabelHints, matchers: readonly Matcher[]): Promise<LabelAnswer> {
    return this.#labelAnswer('/api/v1/labels', hints, matchers);
  }

  async labelValues(name: string, hints: LabelHints, matchers: readonly Matcher[]): Promise<LabelAnswer> {
    return this.#labelAnswer(`/api/v1/label/${encodeURIComponent(labelNameInPath(name))}/values`, hints, matchers);
  }

  close(): void {
    this.#options.budget.release(this.#heldBytes);
    this.#heldBytes = 0;
  }

  async #labelAnswer(path: string, hints: LabelHints, matchers: readonly Matcher[]): Promise<LabelAnswer> {
    const annotations = new Annotations();
    const answers = await this.#fanOutJson(path, hints, matchers, annotations, (data) => strings(data, path));
    const values = sortUtf8([...new Set(answers.flat())]);
    return { values: atMost(values, hints.limit), annotations };
  }

  async #selectLabels(hints: SelectHints, matchers: readonly Matcher[], annotations: Annotations): Promise<SeriesSet> {
    const path = '/api/v1/series';
    const answers = await this.#fanOutJson(path, hints, matchers, annotations, (data) =>
      objects(data, path).map((entry) => labelsOf(entry, path)),
    );
    const byKey = new Map(answers.flat().map((labels) => [labels.key, labels]));
    const sorted = [...byKey.values()].sort((a, b) => a.compare(b));
    const series = atMost(sorted, hints.limit).map((labels): Series => ({ labels, read: () => undefined }));
    return {
      batches: (async function* () {
        yield series;
      })(),
      annotations,
    };
  }

  async #fanOutJson<T>(
    path: string,
    hints: LabelHints,
    matchers: readonly Matcher[],
    annotations: Annotations,
    parse: (data: unknown) => T,
  ): Promise<T[]> {
    const selection = { startMs: this.#minTimeMs, endMs: this.#maxTimeMs, matchers, limit: hints.limit };
    const url = path + selectionParameters(selection);
    const answers = await this.#fanOut(hints.signal, annotations, async (agent, signal) =>
      parse(await getJson(this.#options, agent, url, annotations, signal)),
    );
    return answers.map(({ value }) => value);
  }

  #fanOut<T>(
    signal: AbortSignal | undefined,
    annotations: Annotations,
    ask: (agent: Agent, signal: AbortSignal) => Promise<T>,
  ) {
    return fanOut({ ...this.#options, signal }, annotations, ask);
  }

  #charge(bytes: number): void {
    this.#heldBytes += bytes;
    this.#options.budget.hold(bytes);
  }

  #release(bytes: number): void {
    this.#heldBytes -= bytes;
    this.#options.budget.release(bytes);
  }
}

function readHints(hints: SelectHints) {
  return {
    startMs: hints.startMs,
    endMs: hints.endMs,
    stepMs: hints.stepMs ?? 0,
    rangeMs: hints.rangeMs ?? 0,
    func: hints.func ?? '',
    grouping: hints.grouping ?? [],
    by: hints.by ?? false,
  };
}

/** An agent with external labels may send them slightly out of order. */
function sortSeries(series: RemoteSeries[]): readonly RemoteSeries[] {
  const isSorted = series.every((one, i) => i === 0 || series[i - 1]!.labels.compare(one.labels) < 0);
  return isSorted ? series : series.sort((a, b) => a.labels.compare(b.labels));
}

function labelsOf(entry: Readonly<Record<string, unknown>>, path: string): Labels {
  const pairs: [string, string][] = [];
  for (const [name, value] of Object.entries(entry)) {
    if (typeof value !== 'string') throw bad(path, 'a label value that is not a string');
    pairs.push([name, value]);
  }
  return Labels.of(pairs);
}

function atMost<T>(items: readonly T[], limit: number | undefined): readonly T[] {
  return limit !== undefined && limit > 0 ? items.slice(0, limit) : items;
}
