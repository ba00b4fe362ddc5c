/**
 * Queries over the same samples in several servers, in turns: how long an answer takes, what CPU time and memory
 * the server spends on it, and a hash of the answer, by which all are seen to say the same.
 */
import { createHash } from 'node:crypto';
import { Agent } from 'node:http';
import type { Contender, Server } from './contenders.ts';
import { cpuSeconds, memory, resetPeak } from './proc.ts';
import { type QueryCase, queryCases } from './query-cases.ts';
import { ask, type QuerySize, withQueryServers } from './query-servers.ts';
import { median } from './table.ts';

export interface QueryOptions extends QuerySize {
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
  readonly entries: number;
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

/** For each case and server, in so many turns. */
const BUDGET_MS = 1_000;
const TURNS = 3;

/** What two answers must have in common. */
export function agreed({ case: { agreement }, hash, entries, points }: QueryFigures): string {
  if (agreement === 'answer') return hash;
  return agreement === 'entries' ? `${entries} entries` : `${points} points`;
}

/** The figures of each contender, of the cases in their order. */
export function run(options: QueryOptions, contenders: readonly Contender[]): Promise<readonly ServerFigures[]> {
  return withQueryServers(options, contenders, async (servers, endSeconds) => {
    const measured = servers.map((server) => new MeasuredServer(server));
    for (const one of queryCases(endSeconds, options.titles)) {
      for (const server of measured) await server.begin(one);
      // In turns: what else the machine does troubles all alike.
      for (let turn = 0; turn < TURNS; turn++) {
        for (const server of measured) await server.takeTurn(options);
      }
      for (const server of measured) server.end();
    }
    return measured.map((server) => server.figures());
  });
}

/** One server, asked case by case. */
class MeasuredServer {
  readonly #server: Server;
  readonly #rssBytes: number;
  readonly #queries: QueryFigures[] = [];
  #case: QueryCase | undefined;
  #answer: Buffer = Buffer.alloc(0);
  #times: number[] = [];
  #cpuSeconds = 0;

  constructor(server: Server) {
    this.#server = server;
    this.#rssBytes = memory(server.pid).rssBytes;
  }

  /** Asks once, which is not counted: it brings in pages of the block, and compiles. */
  async begin(one: QueryCase): Promise<void> {
    resetPeak(this.#server.pid);
    this.#case = one;
    this.#times = [];
    this.#cpuSeconds = 0;
    this.#answer = await ask(this.#server, one, new Agent());
  }

  async takeTurn({ minRepeats, maxRepeats }: QueryOptions): Promise<void> {
    const { pid } = this.#server;
    // One connection a turn: a server may give it up while others are asked.
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const cpuBefore = cpuSeconds(pid);
    const begun = performance.now();
    for (let i = 0; i < maxRepeats / TURNS; i++) {
      const started = performance.now();
      if (i >= minRepeats / TURNS && started - begun > BUDGET_MS / TURNS) break;
      await ask(this.#server, this.#case!, agent);
      this.#times.push(performance.now() - started);
    }
    agent.destroy();
    this.#cpuSeconds += cpuSeconds(pid) - cpuBefore;
  }

  end(): void {
    this.#queries.push({
      case: this.#case!,
      milliseconds: median(this.#times),
      cpuMilliseconds: (this.#cpuSeconds * 1e3) / this.#times.length,
      peakRssBytes: memory(this.#server.pid).peakRssBytes,
      ...summary(this.#answer),
    });
  }

  figures(): ServerFigures {
    return {
      program: this.#server.contender.name,
      queries: this.#queries,
      rssBytes: this.#rssBytes,
      peakRssBytes: Math.max(...this.#queries.map(({ peakRssBytes }) => peakRssBytes)),
    };
  }
}

/** The hash is independent of the order of series, and of a value's last digits. */
function summary(answer: Buffer): Pick<QueryFigures, 'hash' | 'answerBytes' | 'entries' | 'points'> {
  const { data } = JSON.parse(answer.toString()) as { data: { result?: unknown[] } | unknown[] };
  const list = Array.isArray(data) ? data : data.result!;
  const texts = list.map((one) => JSON.stringify(one, rounded)).sort();
  return {
    hash: createHash('sha256').update(texts.join('\n')).digest('hex').slice(0, 12),
    answerBytes: answer.length,
    entries: list.length,
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
