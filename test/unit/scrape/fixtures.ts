import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import {
  connect,
  createServer as createTcpServer,
  type AddressInfo,
  type Server as TcpServer,
  type Socket,
} from 'node:net';
import { connectionContext, type ScraperContext } from '../../../agent/scrape/scraper.ts';
import type { ScrapeConfig, TargetGroup } from '../../../lib/config/index.ts';
import { type Clock, nodeFileSystem, systemClock, type Timer } from '../../../lib/env/index.ts';
import type { Kernels } from '../../../lib/kernels/index.ts';
import { isStaleNaN, Labels, PromletError } from '../../../lib/model/index.ts';
import { type Appendable, type Appender, AppendResult, type SeriesRef } from '../../../lib/storage/index.ts';

/** What a scraper needs, on real sockets. */
export function scraperContext(kernels: Kernels): ScraperContext {
  return {
    ...connectionContext(kernels, systemClock, connect),
    files: nodeFileSystem,
    userAgent: 'Promlet/1.2.3',
    bodyLimitBytes: 16 << 20,
    isLocal: () => true,
  };
}

/** Storage in memory: committed samples by series, as `labels → [timestamp, value]`; `stale` stands for the marker. */
export class MemoryStorage implements Appendable {
  readonly samples = new Map<string, [timestampMs: number, value: number | 'stale'][]>();
  readonly #refs = new Map<string, SeriesRef>();
  readonly #names: string[] = [''];
  commits = 0;
  rollbacks = 0;
  /** New series above this are refused. */
  seriesLimit = Infinity;
  readonly forgotten = new Set<SeriesRef>();

  appender(): Appender {
    const pending: [ref: SeriesRef, timestampMs: number, value: number][] = [];
    const append = (ref: SeriesRef, timestampMs: number, value: number): AppendResult => {
      if (this.forgotten.has(ref)) return AppendResult.unknownRef;
      const last = this.samples.get(this.#names[ref]!)?.at(-1);
      if (last !== undefined && last[0] > timestampMs) return AppendResult.outOfOrder;
      pending.push([ref, timestampMs, value]);
      return AppendResult.ok;
    };
    return {
      series: (labels) => {
        const known = this.#refs.get(labels.toString());
        if (known !== undefined && !this.forgotten.has(known)) return known;
        if (this.#refs.size >= this.seriesLimit) {
          throw new PromletError('storage/series-limit', 'too many series');
        }
        const ref = this.#names.push(labels.toString()) - 1;
        this.#refs.set(labels.toString(), ref);
        return ref;
      },
      append,
      appendColumns: (refs, values, count, timestampMs, results) => {
        let failed = 0;
        for (let i = 0; i < count; i++) {
          results[i] = refs[i] === 0 ? AppendResult.ok : append(refs[i]!, timestampMs, values[i]!);
          if (results[i] !== AppendResult.ok) failed++;
        }
        return failed;
      },
      appendHistogram: () => AppendResult.ok,
      appendExemplar: () => AppendResult.ok,
      updateMetadata: () => AppendResult.ok,
      commit: async () => {
        this.commits++;
        for (const [ref, timestampMs, value] of pending) {
          const name = this.#names[ref]!;
          const list = this.samples.get(name) ?? [];
          list.push([timestampMs, isStaleNaN(value) ? 'stale' : value]);
          this.samples.set(name, list);
        }
      },
      rollback: () => {
        this.rollbacks++;
        pending.length = 0;
      },
    };
  }

  /** Values of one series, oldest first. */
  values(name: string): (number | 'stale')[] {
    return (this.samples.get(name) ?? []).map(([, value]) => value);
  }
}

/** A clock that goes on to its next timer when it is told to: scrapes take no time, however long they take. */
export class ScrapeClock implements Clock {
  readonly #timers = new Set<{ readonly atMs: number; readonly run: () => void }>();
  #nowMs = 1_700_000_000_000;

  now(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  setTimer(run: () => void, delayMs: number): Timer {
    const timer = { atMs: this.#nowMs + delayMs, run };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }

  get timerCount(): number {
    return this.#timers.size;
  }

  next(): void {
    const [first] = [...this.#timers].sort((a, b) => a.atMs - b.atMs);
    if (first === undefined) throw new Error('nothing will happen any more');
    this.#timers.delete(first);
    this.#nowMs = first.atMs;
    first.run();
  }
}

export function scrapeConfig(change: Partial<ScrapeConfig> = {}): ScrapeConfig {
  return {
    job_name: 'test',
    honor_labels: false,
    honor_timestamps: true,
    track_timestamps_staleness: false,
    params: {},
    scrape_interval: 100,
    scrape_timeout: 100,
    scrape_protocols: ['OpenMetricsText1.0.0', 'PrometheusText1.0.0', 'PrometheusText0.0.4'],
    scrape_native_histograms: false,
    always_scrape_classic_histograms: false,
    convert_classic_histograms_to_nhcb: false,
    extra_scrape_metrics: false,
    metrics_path: '/metrics',
    scheme: 'http',
    enable_compression: true,
    body_size_limit: 0,
    sample_limit: 0,
    target_limit: 0,
    label_limit: 0,
    label_name_length_limit: 0,
    label_value_length_limit: 0,
    native_histogram_bucket_limit: 0,
    native_histogram_min_bucket_factor: 0,
    keep_dropped_targets: 0,
    metric_name_validation_scheme: 'utf8',
    metric_name_escaping_scheme: 'allow-utf-8',
    relabel_configs: [],
    metric_relabel_configs: [],
    static_configs: [],
    kubernetes_sd_configs: [],
    file_sd_configs: [],
    http_sd_configs: [],
    dns_sd_configs: [],
    follow_redirects: true,
    enable_http2: false,
    ...change,
  };
}

export function targetGroup(addresses: readonly string[], labels: Record<string, string> = {}): TargetGroup {
  return {
    source: 'static',
    labels: Labels.of(labels),
    targets: addresses.map((address) => Labels.of({ __address__: address })),
  };
}

const opened: (Server | TcpServer)[] = [];
const sockets = new Set<Socket>();

/** Connections are kept, however long nothing is asked. */
const KEPT = { keepAliveTimeout: 0 };

/** An HTTP server on a free port; `closeServers` ends it. @returns host:port */
export async function serve(handler: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  return listen(createServer(KEPT, handler));
}

/** The same over TLS; certificate and key are PEM. */
export async function serveTls(
  credentials: { readonly cert: string; readonly key: string },
  handler: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  return listen(createTlsServer({ ...KEPT, ...credentials }, handler));
}

/** A TCP server for answers that no HTTP library would send. */
export async function serveRaw(handler: (socket: Socket) => void): Promise<string> {
  return listen(createTcpServer(handler));
}

async function listen(server: Server | TcpServer): Promise<string> {
  opened.push(server);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

export async function closeServers(): Promise<void> {
  for (const socket of sockets) socket.destroy();
  await Promise.all(opened.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
}
