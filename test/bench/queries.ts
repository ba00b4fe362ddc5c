/**
 * Queries over the same samples in several servers, one after the other: how long an answer takes, what CPU time and memory
 * the server spends on it, and a hash of the answer, by which all are seen to say the same. Those that read blocks get a
 * copy of one block.
 */
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Contender, dataDirOf, Server } from './contenders.ts';
import { cpuSeconds, memory, resetPeak } from './proc.ts';
import { type QueryCase, queryCases } from './query-cases.ts';
import { type QueryShape, SERIES_PER_INSTANCE, writeQueryData } from './query-data.ts';
import { median } from './table.ts';
import { importQueryData } from './victoria-metrics-data.ts';

export interface QueryOptions {
  readonly instances: number;
  readonly scrapes: number;
  /** Which cases; all by default. */
  readonly titles?: RegExp;
  /** An answer is taken so many times, and as often again as there is time for. */
  readonly minRepeats: number;
  readonly maxRepeats: number;
}

export interface QueryFigures {
  readonly case: QueryCase;
  readonly milliseconds: number;
  /** Of the server, per request. */
  readonly cpuMilliseconds: number;
  /** The server's highest while it was asked this. */
  readonly peakRssBytes: number;
  /** Of the answer with its numbers rounded. */
  readonly hash: string;
  readonly answerBytes: number;
  /** Series, or values of a label. */
  readonly elements: number;
  /** Of all series. */
  readonly points: number;
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

/** What two answers must have in common. */
export function agreed({ case: { agreement }, hash, elements, points }: QueryFigures): string {
  if (agreement === 'answer') return hash;
  return agreement === 'series' ? `${elements} series` : `${points} points`;
}

/** The figures of each contender, of the cases in their order. */
export async function run(options: QueryOptions, contenders: readonly Contender[]): Promise<readonly ServerFigures[]> {
  const { instances, scrapes } = options;
  const shape: QueryShape = { instances, scrapes, stepMs: STEP_MS, startMs: START_MS };
  const dir = mkdtempSync(join(tmpdir(), 'promlet-queries-'));
  const data = join(dir, 'written');
  mkdirSync(data);
  try {
    await writeQueryData({ dir: data, ...shape });
    const figures: ServerFigures[] = [];
    for (const contender of contenders) {
      const own = join(dir, contender.name.replaceAll(' ', '-'));
      mkdirSync(own);
      if (contender.readsBlocks) cpSync(data, dataDirOf(own), { recursive: true });
      else await importQueryData(contender, own, shape);
      figures.push(await measure(contender, own, options));
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
  { instances, scrapes, titles, minRepeats, maxRepeats }: QueryOptions,
): Promise<ServerFigures> {
  const endSeconds = (START_MS + scrapes * STEP_MS) / 1000;
  const server = await Server.start(contender, dir);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  try {
    await server.ready();
    const { pid } = server;
    const found = await server.scalar('count({__name__=~".+"})', endSeconds);
    const expected = instances * SERIES_PER_INSTANCE;
    if (found !== expected) throw new Error(`${contender.name} has ${found} of ${expected} series`);
    const { rssBytes } = memory(pid);
    const queries: QueryFigures[] = [];
    let highest = memory(pid).peakRssBytes;
    for (const one of queryCases(endSeconds, titles)) {
      // VictoriaMetrics would answer from its cache, on times that it aligns for it; the others do not know the parameter.
      const params = new URLSearchParams({ ...one.params, nocache: '1' });
      const url = `${server.url}/api/v1/${one.path}?${params.toString()}`;
      resetPeak(pid);
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
      const { peakRssBytes } = memory(pid);
      highest = Math.max(highest, peakRssBytes);
      queries.push({
        case: one,
        milliseconds: median(times),
        cpuMilliseconds: ((cpuSeconds(pid) - cpuBefore) * 1e3) / times.length,
        peakRssBytes,
        ...summary(answer),
      });
    }
    return { program: contender.name, queries, rssBytes, peakRssBytes: highest };
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

/** The hash is independent of the order of series, and of a value's last digits. */
function summary(answer: Buffer): Pick<QueryFigures, 'hash' | 'answerBytes' | 'elements' | 'points'> {
  const { data } = JSON.parse(answer.toString()) as { data: { result?: unknown[] } | unknown[] };
  const list = Array.isArray(data) ? data : data.result!;
  const texts = list.map((one) => JSON.stringify(one, rounded)).sort();
  return {
    hash: createHash('sha256').update(texts.join('\n')).digest('hex').slice(0, 12),
    answerBytes: answer.length,
    elements: list.length,
    points: list.reduce<number>((sum, one) => sum + ((one as { values?: unknown[] }).values?.length ?? 1), 0),
  };
}

function rounded(_key: string, value: unknown): unknown {
  if (Array.isArray(value) && value.length === 2 && typeof value[0] === 'number') {
    return [value[0], Number(value[1]).toPrecision(8)];
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
