/** The servers that are measured side by side, each under one set of names. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../sandbox/ports.ts';
import { ManagedProcess } from '../sandbox/process.ts';
import { call, type InstantSample, PATIENCE_MS } from '../tools/prometheus-api.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** A Prometheus-like server under test. */
export interface Contender {
  readonly name: string;
  readonly command: string;
  /** Beside that of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Whether a Prometheus block in its data directory is its data. */
  readonly readsBlocks: boolean;
  args(run: { readonly configFile: string; readonly dataDir: string; readonly listen: string }): readonly string[];
  /** Samples that it adds to each scrape: `up` and others. */
  readonly reportSamples: number;
  /** Metrics of its own: samples taken so far, and series in memory. */
  readonly appendedMetric: string;
  readonly seriesMetric: string;
}

const prometheusArgs: Contender['args'] = ({ configFile, dataDir, listen }) => [
  `--config.file=${configFile}`,
  `--storage.tsdb.path=${dataDir}`,
  `--web.listen-address=${listen}`,
  '--web.enable-lifecycle',
];

const PROMETHEUS_LIKE = {
  readsBlocks: true,
  reportSamples: 5,
  appendedMetric: 'prometheus_tsdb_head_samples_appended_total',
  seriesMetric: 'prometheus_tsdb_head_series',
} as const;

/** What the image starts the agent with: Node's flags and the environment. */
function imageStart(): { readonly flags: readonly string[]; readonly env: Readonly<Record<string, string>> } {
  const text = readFileSync(join(ROOT, 'Dockerfile'), 'utf8');
  const [, command] = /^CMD (\[.*\])$/m.exec(text)!;
  const [, variables] = /^ENV (.*)$/m.exec(text)!;
  return {
    flags: (JSON.parse(command!) as string[]).slice(0, -1),
    env: Object.fromEntries(variables!.split(' ').map((one) => one.split('=') as [string, string])),
  };
}

/** The agent as it is shipped. @param bundleDir where `bundlePrograms` put it */
export function agentContender(bundleDir: string): Contender {
  return nodeContender('promlet agent', join(bundleDir, 'agent.mjs'));
}

/** The agent from source, for a look that all still works. */
export function sourceContender(): Contender {
  return nodeContender('promlet agent from source', join(ROOT, 'agent', 'main.ts'));
}

function nodeContender(name: string, script: string): Contender {
  const { flags, env } = imageStart();
  return {
    name,
    command: process.execPath,
    env,
    args: (run) => [...flags, script, ...prometheusArgs(run)],
    ...PROMETHEUS_LIKE,
  };
}

export function prometheusContender(binary: string): Contender {
  return { name: 'prometheus 3.15', command: binary, args: prometheusArgs, ...PROMETHEUS_LIKE };
}

export function victoriaMetricsContender(binary: string): Contender {
  return {
    name: 'victoria-metrics 1.145',
    command: binary,
    readsBlocks: false,
    args: ({ configFile, dataDir, listen }) => [
      `-promscrape.config=${configFile}`,
      `-storageDataPath=${dataDir}`,
      `-httpListenAddr=${listen}`,
      '-retentionPeriod=100y',
      // What was scraped counts at once, not 30 s later.
      '-search.latencyOffset=1ms',
      // As Prometheus: five minutes, whatever the distance between samples.
      '-search.maxLookback=5m',
    ],
    reportSamples: 7,
    appendedMetric: 'vm_rows_inserted_total{type="promscrape"}',
    seriesMetric: 'vm_cache_entries{type="storage/hour_metric_ids"}',
  };
}

/** One contender, running on a directory of its own. */
export class Server {
  readonly contender: Contender;
  readonly url: string;
  readonly #process: ManagedProcess;
  readonly #configFile: string;

  private constructor(contender: Contender, url: string, server: ManagedProcess, configFile: string) {
    this.contender = contender;
    this.url = url;
    this.#process = server;
    this.#configFile = configFile;
  }

  /** Starts a server without targets on `dir/data`, and does not wait for it. */
  static async start(contender: Contender, dir: string, extraArgs: readonly string[] = []): Promise<Server> {
    mkdirSync(dir, { recursive: true });
    const configFile = join(dir, 'config.yml');
    writeFileSync(configFile, 'global: {}\n');
    const listen = `127.0.0.1:${await freePort()}`;
    const server = await ManagedProcess.start({
      name: contender.name,
      command: contender.command,
      args: [...contender.args({ configFile, dataDir: dataDirOf(dir), listen }), ...extraArgs],
      ...(contender.env && { env: contender.env }),
      logFile: join(dir, 'log'),
    });
    return new Server(contender, `http://${listen}`, server, configFile);
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Waits until it answers queries. */
  async ready(timeoutMs = PATIENCE_MS): Promise<void> {
    await this.#process.waitUntilOk(`${this.url}/-/ready`, timeoutMs);
    await this.scalar('vector(1)');
  }

  async configure(config: string): Promise<void> {
    writeFileSync(this.#configFile, config);
    const answer = await fetch(`${this.url}/-/reload`, { method: 'POST' });
    if (!answer.ok) throw new Error(`${this.contender.name}: reload: ${await answer.text()}`);
  }

  /** A metric of its own, summed over its series; with labels only the series that begins so. */
  async metric(name: string): Promise<number> {
    const page = await (await fetch(`${this.url}/metrics`)).text();
    const starts = name.includes('{') ? [`${name} `] : [`${name} `, `${name}{`];
    const lines = page.split('\n').filter((line) => starts.some((start) => line.startsWith(start)));
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  }

  appended(): Promise<number> {
    return this.metric(this.contender.appendedMetric);
  }

  series(): Promise<number> {
    return this.metric(this.contender.seriesMetric);
  }

  /** The one value of an instant query; 0 when nothing is there. */
  async scalar(query: string, timeSeconds?: number): Promise<number> {
    const time: Record<string, string> = timeSeconds === undefined ? {} : { time: String(timeSeconds) };
    const { data } = await call<{ result: InstantSample[] }>(this.url, 'query', { query, nocache: '1', ...time });
    return Number(data.result[0]?.value[1] ?? 0);
  }

  async kill(): Promise<void> {
    await this.#process.stop('SIGKILL');
  }

  async stop(): Promise<void> {
    await this.#process.stop('SIGTERM');
  }
}

export function dataDirOf(dir: string): string {
  return join(dir, 'data');
}
