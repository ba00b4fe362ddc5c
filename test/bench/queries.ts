/**
 * Queries over the same block in several servers, one after the other: how long an answer takes, what CPU time and memory
 * the server spends on it, and a hash of the answer, by which all are seen to say the same.
 */
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Contender, dataDirOf, Server } from './contenders.ts';
import { cpuSeconds, memory, resetPeak } from './proc.ts';
import { SERIES_PER_INSTANCE, writeQueryData } from './query-data.ts';
import { median } from './table.ts';

export interface QueryOptions {
  readonly instances: number;
  readonly scrapes: number;
  /** An answer is taken so many times, and as often again as there is time for. */
  readonly minRepeats: number;
  readonly maxRepeats: number;
}

/** One request of the list. */
export interface QueryCase {
  readonly title: string;
  /** Of the API, below `/api/v1/`. */
  readonly path: string;
  readonly params: Readonly<Record<string, string>>;
}

export interface QueryFigures {
  readonly title: string;
  readonly milliseconds: number;
  /** Of the server, per request. */
  readonly cpuMilliseconds: number;
  /** Of the answer with its numbers rounded. */
  readonly hash: string;
  readonly answerBytes: number;
}

export interface ServerFigures {
  readonly program: string;
  readonly queries: readonly QueryFigures[];
  /** Before the first query, and the highest during any. */
  readonly rssBytes: number;
  readonly peakRssBytes: number;
}

const STEP_MS = 15_000;
/** A multiple of every block's length. */
const START_MS = 1_699_920_000_000;
const BUDGET_MS = 1_000;

const COUNTER = 'http_requests_total';
const BUCKET = 'http_request_duration_seconds_bucket';
const QUANTILE = `histogram_quantile(0.9, sum by (le, service) (rate(${BUCKET}[5m])))`;
const JOIN = `sum by (version) (rate(${COUNTER}{handler="/api/v1/1"}[5m]) * on (instance) group_left (version) build_info)`;

/** By title; run as instant queries and over ranges. */
const QUERIES: Readonly<Record<string, string>> = {
  'one series': `${COUNTER}{instance="10.0.0.3:8080",handler="/api/v1/7",code="200"}`,
  selector: `${COUNTER}{handler="/api/v1/3"}`,
  'rate per series': `rate(${COUNTER}{code="404"}[5m])`,
  'sum by (handler) (rate)': `sum by (handler) (rate(${COUNTER}[5m]))`,
  'sum (rate) of all': 'sum(rate({__name__=~".+"}[5m]))',
  histogram_quantile: QUANTILE,
  topk: `topk(5, ${COUNTER})`,
  'count by (__name__) of all': 'count by (__name__) ({__name__=~".+"})',
  'max_over_time 1 h': 'max by (area) (max_over_time(memory_bytes[1h]))',
  subquery: `max_over_time(sum(rate(${COUNTER}{handler="/api/v1/2"}[5m]))[30m:1m])`,
  'many-to-one join': JOIN,
  'regex on ids': 'count({id=~".*a.*7.*"})',
};

/** All requests on data that ends at a time, in seconds. */
export function queryCases(endSeconds: number): readonly QueryCase[] {
  const end = String(endSeconds);
  const range = (hours: number, step: number) => ({
    start: String(endSeconds - hours * 3600),
    end,
    step: String(step),
  });
  const kinds = [
    { kind: 'instant', path: 'query', times: { time: end } },
    { kind: '1 h by 15 s', path: 'query_range', times: range(1, 15) },
    { kind: '24 h by 60 s', path: 'query_range', times: range(24, 60) },
  ];
  const queries = Object.entries(QUERIES).flatMap(([title, query]) =>
    kinds.map(({ kind, path, times }) => ({ title: `${title}, ${kind}`, path, params: { query, ...times } })),
  );
  const day = { start: String(endSeconds - 86_400), end };
  return [
    ...queries,
    { title: 'values of handler', path: 'label/handler/values', params: day },
    { title: '10,000 values of id', path: 'label/id/values', params: { limit: '10000', ...day } },
    { title: 'values of area, matched', path: 'label/area/values', params: { 'match[]': 'memory_bytes', ...day } },
    { title: 'series', path: 'series', params: { 'match[]': `${COUNTER}{handler="/api/v1/5"}`, ...day } },
  ];
}

/** @param report takes each server's figures as they come */
export async function run(
  { instances, scrapes, minRepeats, maxRepeats }: QueryOptions,
  contenders: readonly Contender[],
): Promise<readonly ServerFigures[]> {
  const dir = mkdtempSync(join(tmpdir(), 'promlet-queries-'));
  const data = join(dir, 'written');
  mkdirSync(data);
  try {
    await writeQueryData({ dir: data, instances, scrapes, stepMs: STEP_MS, startMs: START_MS });
    const cases = queryCases((START_MS + scrapes * STEP_MS) / 1000);
    const figures: ServerFigures[] = [];
    for (const contender of contenders) {
      const own = join(dir, contender.name.replaceAll(' ', '-'));
      mkdirSync(own);
      cpSync(data, dataDirOf(own), { recursive: true });
      figures.push(await measure(contender, own, cases, instances, minRepeats, maxRepeats));
      rmSync(own, { recursive: true, force: true });
    }
    return figures;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function measure(
  contender: Contender,
  dir: string,
  cases: readonly QueryCase[],
  instances: number,
  minRepeats: number,
  maxRepeats: number,
): Promise<ServerFigures> {
  const server = await Server.start(contender, dir);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  try {
    await server.ready();
    const { pid } = server;
    const end = cases[0]!.params['time']!;
    const found = await server.scalar('count({__name__=~".+"})', Number(end));
    const expected = instances * SERIES_PER_INSTANCE;
    if (found !== expected) throw new Error(`${contender.name} has ${found} of ${expected} series`);
    const { rssBytes } = memory(pid);
    resetPeak(pid);
    const queries: QueryFigures[] = [];
    for (const one of cases) {
      const url = `${server.url}/api/v1/${one.path}?${new URLSearchParams(one.params).toString()}`;
      // Not counted: it brings in pages of the block, and compiles.
      const answer = await fetched(url, agent);
      const times: number[] = [];
      const cpuBefore = cpuSeconds(pid);
      const begun = performance.now();
      while (times.length < maxRepeats && (times.length < minRepeats || performance.now() - begun < BUDGET_MS)) {
        const started = performance.now();
        await fetched(url, agent);
        times.push(performance.now() - started);
      }
      queries.push({
        title: one.title,
        milliseconds: median(times),
        cpuMilliseconds: ((cpuSeconds(pid) - cpuBefore) * 1e3) / times.length,
        hash: hashOf(answer),
        answerBytes: answer.length,
      });
    }
    return { program: contender.name, queries, rssBytes, peakRssBytes: memory(pid).peakRssBytes };
  } finally {
    agent.destroy();
    await server.stop();
  }
}

/** The body of an answer, asked for as it is: compressing costs both sides about the same. */
function fetched(url: string, agent: Agent): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    get(url, { agent }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.once('error', reject);
      response.once('end', () => {
        const body = Buffer.concat(pieces);
        if (response.statusCode === 200) resolve(body);
        else reject(new Error(`${url}: ${response.statusCode} ${body.toString('utf8', 0, 500)}`));
      });
    }).once('error', reject);
  });
}

/** Independent of the order of series, and of a value's last digits. */
function hashOf(answer: Buffer): string {
  const { data } = JSON.parse(answer.toString()) as { data: { result?: unknown[] } | unknown[] };
  const list = Array.isArray(data) ? data : data.result!;
  const texts = list.map((one) => JSON.stringify(one, rounded)).sort();
  return createHash('sha256').update(texts.join('\n')).digest('hex').slice(0, 12);
}

function rounded(_key: string, value: unknown): unknown {
  if (Array.isArray(value) && value.length === 2 && typeof value[0] === 'number') {
    return [value[0], Number(value[1]).toPrecision(8)];
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
