import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createKernels } from '../../lib/kernels/index.ts';
import { isStaleNaN, Matcher } from '../../lib/model/index.ts';
import { createWireCodec } from '../../lib/remote/index.ts';
import { encodeReadRequest } from '../../lib/remote/read-request.ts';
import { freePort } from '../sandbox/ports.ts';
import { ManagedProcess } from '../sandbox/process.ts';
import { call, eventually, PATIENCE_MS } from './prometheus-api.ts';
import { decodeReadResponse, encodeWriteRequest, REMOTE_WRITE_HEADERS, type WrittenSeries } from './remote-write.ts';
import { type Dump, floatText, histogramText } from './samples.ts';

const run = promisify(execFile);
const MAX_ANSWER_BYTES = 1 << 29;
let codec: ReturnType<typeof createWireCodec> | undefined;

export interface PrometheusOptions {
  /** Path of the program, from `needPeer`. */
  readonly program: string;
  /** 2 for 2.42, whose flags differ. */
  readonly version: 2 | 3;
  readonly dataDir: string;
  /** Default 2 h; compaction happens when the head spans one and a half of it. */
  readonly blockDuration?: string;
  /** Of the largest block; default three times `blockDuration`, a tenth of the retention without that. */
  readonly maxBlockDuration?: string;
  /** Of the out-of-order window; default none. */
  readonly outOfOrderWindow?: string;
  /** Version 3 only. */
  readonly floatEncoding?: 'xor' | 'xor2';
  readonly walCompression?: 'none' | 'snappy' | 'zstd';
  readonly walSegmentSize?: string;
  /**
   * How often it looks by itself for blocks to compact, and maps completed chunks of the head. By default never, so that what it
   * makes of its commits depends on them alone; version 2 does it every minute.
   */
  readonly reloadInterval?: string;
  readonly features?: readonly string[];
  readonly flags?: readonly string[];
}

/** A real Prometheus on a data directory, without targets: what is in it, the test puts in by remote write. */
export class PrometheusDriver {
  readonly url: string;
  readonly dataDir: string;
  readonly #process: ManagedProcess;
  readonly #home: string;

  private constructor(url: string, dataDir: string, process: ManagedProcess, home: string) {
    this.url = url;
    this.dataDir = dataDir;
    this.#process = process;
    this.#home = home;
  }

  /** Resolves when it is ready. @throws with its log when it ends before */
  static async start(options: PrometheusOptions): Promise<PrometheusDriver> {
    const home = mkdtempSync(join(tmpdir(), 'promlet-prometheus-'));
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const logFile = join(home, 'log');
    writeFileSync(join(home, 'prometheus.yml'), JSON.stringify(configOf(options)));
    mkdirSync(options.dataDir, { recursive: true });
    const managed = await ManagedProcess.start({
      name: 'prometheus',
      command: options.program,
      args: [
        `--config.file=${join(home, 'prometheus.yml')}`,
        `--web.listen-address=127.0.0.1:${port}`,
        ...flagsOf(options),
      ],
      logFile,
    });
    const driver = new PrometheusDriver(url, options.dataDir, managed, home);
    try {
      await managed.waitUntilOk(`${url}/-/ready`);
    } catch (error) {
      const log = readFileSync(logFile, 'utf8');
      await driver.stop('SIGKILL');
      throw new Error(`${String(error)}\n${log}`, { cause: error });
    }
    return driver;
  }

  /** One request of remote write: one commit. @throws with the answer when it is refused */
  async write(series: readonly WrittenSeries[], version: 1 | 2 = 1): Promise<void> {
    const response = await fetch(`${this.url}/api/v1/write`, {
      method: 'POST',
      headers: { ...REMOTE_WRITE_HEADERS[version], 'Content-Encoding': 'snappy' },
      body: wireCodec().snappyCompress(encodeWriteRequest(series, version)) as Uint8Array<ArrayBuffer>,
    });
    if (!response.ok) throw new Error(`remote write: ${response.status} ${await response.text()}`);
  }

  /** Every sample in a range, stale markers included. Its encoder makes -0 of a float to 0. */
  async read(minMs = 0, maxMs = 1e14, matchers = [new Matcher('=~', '__name__', '.*')]): Promise<Dump> {
    const query = { startMs: minMs, endMs: maxMs, matchers, hints: undefined };
    const response = await fetch(`${this.url}/api/v1/read`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/x-protobuf', 'Content-Encoding': 'snappy' },
      body: encodeReadRequest({ queries: [query], acceptedResponseTypes: [0] }, wireCodec()) as Uint8Array<ArrayBuffer>,
    });
    if (!response.ok) throw new Error(`remote read: ${response.status} ${await response.text()}`);
    const bytes = wireCodec().snappyDecompress(await response.bytes(), MAX_ANSWER_BYTES, 'the answer');
    const out: Dump = {};
    for (const { labels, samples = [], histograms = [] } of decodeReadResponse(bytes)) {
      const list = [
        ...samples.map(([timeMs, value]): [number, string] => [timeMs, floatText(value)]),
        ...histograms.map(([timeMs, value]): [number, string] => [timeMs, histogramText(value)]),
      ];
      out[labels.toString()] = list.sort(([a], [b]) => a - b);
    }
    return out;
  }

  async deleteSeries(selector: string, minMs: number, maxMs: number): Promise<void> {
    await this.#post('admin/tsdb/delete_series', {
      'match[]': selector,
      start: String(minMs / 1000),
      end: String(maxMs / 1000),
    });
  }

  async cleanTombstones(): Promise<void> {
    await this.#post('admin/tsdb/clean_tombstones', {});
  }

  /** @returns the path of the snapshot */
  async snapshot(): Promise<string> {
    const answer = (await this.#post('admin/tsdb/snapshot', {})) as { data: { name: string } };
    return join(this.dataDir, 'snapshots', answer.data.name);
  }

  /** The exemplars of every series. */
  async exemplars(minMs: number, maxMs: number): Promise<unknown[]> {
    const parameters = { query: '{__name__=~".+"}', start: String(minMs / 1000), end: String(maxMs / 1000) };
    return (await call<unknown[]>(this.url, 'query_exemplars', parameters)).data;
  }

  /** Metrics of its own, each the sum over its label sets. */
  async metrics(...names: readonly string[]): Promise<number[]> {
    const lines = (await (await fetch(`${this.url}/metrics`)).text()).split('\n');
    return names.map((name) => {
      const found = lines.filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
      if (found.length === 0) throw new Error(`Prometheus has no metric ${name}`);
      return found.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
    });
  }

  async metric(name: string): Promise<number> {
    return (await this.metrics(name))[0]!;
  }

  /**
   * Waits until the head spans no more than one and a half times its block duration, which commits make it see to, and until the
   * compaction that is under way is over, that of blocks and of samples out of order too.
   */
  async compacted(blockDurationMs: number): Promise<void> {
    await eventually('the head is compacted', PATIENCE_MS, async () => {
      const [minMs, maxMs] = await this.metrics('prometheus_tsdb_head_min_time', 'prometheus_tsdb_head_max_time');
      return maxMs! - minMs! <= blockDurationMs * 1.5;
    });
    // A deletion waits for it. This one finds nothing to delete.
    await this.deleteSeries('nothing', 0, 1);
  }

  /** Waits until its directory has at least so many blocks. */
  async blocks(atLeast: number): Promise<string[]> {
    return eventually(`${atLeast} blocks`, PATIENCE_MS, () => {
      const names = blockDirectories(this.dataDir);
      return Promise.resolve(names.length >= atLeast && names);
    });
  }

  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    await this.#process.stop(signal);
    rmSync(this.#home, { recursive: true, force: true });
  }

  async #post(path: string, parameters: Readonly<Record<string, string>>): Promise<unknown> {
    const response = await fetch(`${this.url}/api/v1/${path}?${new URLSearchParams(parameters).toString()}`, {
      method: 'POST',
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }
}

/** Names of the blocks in a data directory. */
export function blockDirectories(dataDir: string): string[] {
  return readdirSync(dataDir)
    .filter((name) => /^[0-9A-HJKMNP-TV-Z]{26}$/.test(name))
    .sort();
}

function wireCodec(): ReturnType<typeof createWireCodec> {
  return (codec ??= createWireCodec(createKernels()));
}

function configOf({ outOfOrderWindow, floatEncoding }: PrometheusOptions): object {
  return {
    storage: {
      tsdb: {
        ...(outOfOrderWindow === undefined ? {} : { out_of_order_time_window: outOfOrderWindow }),
        ...(floatEncoding === undefined ? {} : { chunk_encoding: { floats: floatEncoding } }),
      },
      exemplars: { max_exemplars: 1000 },
    },
  };
}

function flagsOf(options: PrometheusOptions): string[] {
  const { blockDuration, maxBlockDuration, walCompression } = options;
  const features = [
    'exemplar-storage',
    ...(options.version === 2 ? ['native-histograms'] : []),
    ...(options.features ?? []),
  ];
  return [
    `--storage.tsdb.path=${options.dataDir}`,
    '--storage.tsdb.retention.time=100y',
    '--web.enable-remote-write-receiver',
    '--web.enable-admin-api',
    '--storage.remote.read-sample-limit=0',
    '--log.level=warn',
    `--enable-feature=${features.join(',')}`,
    ...(blockDuration === undefined ? [] : [`--storage.tsdb.min-block-duration=${blockDuration}`]),
    ...(maxBlockDuration === undefined ? [] : [`--storage.tsdb.max-block-duration=${maxBlockDuration}`]),
    ...(walCompression === 'none' ? ['--no-storage.tsdb.wal-compression'] : []),
    ...(walCompression === 'zstd' ? ['--storage.tsdb.wal-compression-type=zstd'] : []),
    ...(options.walSegmentSize === undefined ? [] : [`--storage.tsdb.wal-segment-size=${options.walSegmentSize}`]),
    ...(options.version === 3 ? [`--storage.tsdb.block-reload-interval=${options.reloadInterval ?? '1y'}`] : []),
    ...(options.flags ?? []),
  ];
}

/**
 * What `promtool tsdb dump` prints, as a dump: values and NaNs are as far as Go's %g tells them, histograms are `histogram
 * COUNT SUM`.
 */
export async function promtoolDump(promtool: string, dataDir: string): Promise<Dump> {
  const { stdout } = await run(promtool, ['tsdb', 'dump', dataDir], { maxBuffer: 1 << 29 });
  const out: Dump = {};
  for (const line of stdout.split('\n')) {
    const match = /^(\{.*?\}) (\{count:(\S+), sum:([^,}]+).*\}|\S+) (-?\d+)$/.exec(line);
    if (match === null) {
      if (line !== '') throw new Error(`promtool tsdb dump: cannot read ${line}`);
      continue;
    }
    const [, labels, value, count, sum, timeMs] = match;
    const stale = count === '0' && sum === 'NaN';
    const text = count === undefined || stale ? goFloat(sum ?? value!) : `histogram ${goFloat(count)} ${goFloat(sum!)}`;
    (out[labels!.replaceAll('\\U', '\\u')] ??= []).push([Number(timeMs), text]);
  }
  return out;
}

/** A dump of ours with as much as promtool's tells. */
export function asPromtoolDump(dump: Dump): Dump {
  const reduced = (value: string): string => {
    if (value === 'stale' || value.startsWith('NaN')) return 'NaN';
    const histogram = /count ([^,]+), sum ([^,]+)/.exec(value);
    if (histogram === null) return value;
    return `histogram ${histogram[1]!.replace(/NaN.*|stale/, 'NaN')} ${histogram[2]!.replace(/NaN.*|stale/, 'NaN')}`;
  };
  return Object.fromEntries(
    Object.entries(dump).map(([labels, samples]) => [
      labels,
      samples.map(([timeMs, value]) => [timeMs, reduced(value)]),
    ]),
  );
}

function goFloat(text: string): string {
  const number = text === '+Inf' ? Infinity : text === '-Inf' ? -Infinity : Number(text);
  return isStaleNaN(number) ? 'NaN' : floatText(number);
}
