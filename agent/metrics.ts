import { readdirSync } from 'node:fs';
import { Counter, Gauge, type Metric, Registry } from 'prom-client';
import type { Tsdb, TsdbStats } from '../lib/tsdb/index.ts';
import type { Configuration } from './configuration.ts';
import { BUCKET_BOUNDS, QUERY_SLICES, type QueryMonitor } from './query-monitor.ts';
import type { ScrapeManager, ScrapeStats } from './scrape/index.ts';

export interface MetricSources {
  readonly version: string;
  readonly tsdb: Tsdb;
  readonly scrape: Pick<ScrapeManager, 'stats' | 'targetCounts'>;
  readonly configuration: Configuration;
  readonly queries: QueryMonitor;
  readonly maxConcurrentQueries: number;
  /** When the process started, ms since the epoch. */
  readonly startedAtMs: number;
}

/**
 * The agent's own `/metrics`, under Prometheus's names where it has the metric. Read when asked for: nothing is counted
 * twice. prom-client's default metrics are left out, as their event loop monitor wakes the process a hundred times a second.
 */
export function createMetrics(sources: MetricSources): Registry {
  const registry = new Registry();
  addProcess(registry, sources);
  addConfiguration(registry, sources.configuration);
  addTsdb(registry, sources.tsdb);
  addScrape(registry, sources.scrape);
  addQueries(registry, sources);
  return registry;
}

function addProcess(registry: Registry, { version, startedAtMs }: MetricSources): void {
  gauge(registry, 'process_start_time_seconds', 'Start time of the process.', () => startedAtMs / 1000);
  gauge(registry, 'process_resident_memory_bytes', 'Resident memory size.', () => process.memoryUsage.rss());
  gauge(registry, 'nodejs_heap_size_used_bytes', 'Heap in use.', () => process.memoryUsage().heapUsed);
  gauge(registry, 'nodejs_external_memory_bytes', 'Memory outside the heap.', () => process.memoryUsage().external);
  if (process.platform === 'linux') gauge(registry, 'process_open_fds', 'Open file descriptors.', openFileCount);
  counter(registry, 'process_cpu_seconds_total', 'User and system CPU time spent.', () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  new Gauge({
    name: 'prometheus_build_info',
    help: 'Always 1; the version is in the label.',
    labelNames: ['version'],
    registers: [registry],
  }).set({ version }, 1);
}

function openFileCount(): number {
  return readdirSync('/proc/self/fd').length;
}

function addConfiguration(registry: Registry, configuration: Configuration): void {
  gauge(registry, 'prometheus_config_last_reload_successful', 'Whether the newest configuration is in force.', () =>
    configuration.status.lastError === undefined ? 1 : 0,
  );
  gauge(
    registry,
    'prometheus_config_last_reload_success_timestamp_seconds',
    'When the configuration in force was applied.',
    () => (configuration.status.appliedAtMs ?? 0) / 1000,
  );
  gauge(
    registry,
    'promlet_config_jobs_left_out',
    'Jobs of the configuration in force that cannot be served.',
    () => configuration.status.jobErrors.size,
  );
}

const TSDB_GAUGES: readonly [name: string, help: string, read: (stats: TsdbStats) => number][] = [
  ['prometheus_tsdb_head_series', 'Series in the head.', (stats) => stats.numSeries],
  ['prometheus_tsdb_head_chunks', 'Chunks in the head.', (stats) => stats.numChunks],
  ['prometheus_tsdb_head_min_time', 'Oldest timestamp in the head, ms.', (stats) => stats.minTimeMs ?? 0],
  ['prometheus_tsdb_head_max_time', 'Newest timestamp in the head, ms.', (stats) => stats.maxTimeMs ?? 0],
  ['prometheus_tsdb_wal_segment_current', 'WAL segment being written.', (stats) => stats.walSegment],
  ['prometheus_tsdb_data_replay_duration_seconds', 'Time the replay took.', (stats) => stats.replay.durationMs / 1000],
  ['promlet_tsdb_arena_used_bytes', 'Shared memory in use.', (stats) => stats.arenaUsedBytes],
  ['prometheus_tsdb_blocks_loaded', 'Blocks in use.', (stats) => stats.blocks.blocks],
  ['prometheus_tsdb_storage_blocks_bytes', 'Bytes of blocks on disk.', (stats) => stats.blocks.sizeBytes],
  ['prometheus_tsdb_wal_storage_size_bytes', 'Bytes of the log on disk.', (stats) => stats.walSizeBytes],
  [
    'prometheus_tsdb_head_chunks_storage_size_bytes',
    'Bytes of head chunks on disk.',
    (stats) => stats.headChunksSizeBytes,
  ],
  ['prometheus_tsdb_lowest_timestamp', 'Oldest timestamp in the database, ms.', (stats) => stats.lowestTimeMs ?? 0],
  [
    'promlet_tsdb_unreadable_blocks',
    'Blocks that could not be opened and are left as they are.',
    (stats) => stats.blocks.unreadable,
  ],
  [
    'promlet_tsdb_disk_low',
    'Whether new series are refused for want of disk space.',
    (stats) => (stats.diskLow ? 1 : 0),
  ],
  ['promlet_tsdb_head_memory_limit_bytes', 'What of it may be used.', (stats) => stats.headMemoryLimitBytes],
];

const TSDB_COUNTERS: readonly [name: string, help: string, read: (stats: TsdbStats) => number][] = [
  ['prometheus_tsdb_head_series_created_total', 'Series created.', (stats) => stats.seriesCreated],
  ['promlet_tsdb_head_series_refused_total', 'Series refused by a limit.', (stats) => stats.seriesRefused],
  ['promlet_tsdb_head_samples_refused_total', 'Samples refused for want of memory.', (stats) => stats.samplesRefused],
  ['prometheus_tsdb_head_samples_appended_total', 'Samples appended.', (stats) => stats.samplesAppended],
  ['prometheus_tsdb_head_chunks_created_total', 'Chunks created.', (stats) => stats.chunksCreated],
  ['prometheus_tsdb_out_of_order_samples_total', 'Samples out of order.', (stats) => stats.samplesOutOfOrder],
  ['prometheus_tsdb_too_old_samples_total', 'Samples too old.', (stats) => stats.samplesTooOld],
  ['promlet_tsdb_duplicate_samples_total', 'Samples of one time with two values.', (stats) => stats.samplesDuplicate],
  ['promlet_tsdb_future_samples_total', 'Samples too far ahead.', (stats) => stats.samplesTooFarAhead],
  ['prometheus_tsdb_wal_writes_failed_total', 'Failed WAL writes.', (stats) => stats.walWriteFailures],
  ['promlet_tsdb_wal_fsync_failures_total', 'Failed WAL fsyncs.', (stats) => stats.walFsyncFailures],
  ['promlet_tsdb_wal_written_bytes_total', 'Bytes written to the WAL.', (stats) => stats.walBytesWritten],
  ['prometheus_tsdb_head_series_removed_total', 'Series removed.', (stats) => stats.seriesRemoved],
  [
    'prometheus_tsdb_head_out_of_order_samples_appended_total',
    'Samples appended out of order.',
    (stats) => stats.outOfOrderAppended,
  ],
  ['prometheus_tsdb_exemplar_exemplars_appended_total', 'Exemplars appended.', (stats) => stats.exemplarsAppended],
  [
    'prometheus_tsdb_exemplar_out_of_order_exemplars_total',
    'Exemplars out of order.',
    (stats) => stats.exemplarsOutOfOrder,
  ],
  ['prometheus_tsdb_mmap_chunks_total', 'Chunks put on file.', (stats) => stats.chunksMapped],
  [
    'promlet_tsdb_mmap_chunk_failures_total',
    'Batches of chunks that could not be put on file.',
    (stats) => stats.chunkMappingFailures,
  ],
  ['prometheus_tsdb_head_truncations_total', 'Truncations of the head.', (stats) => stats.headTruncations],
  [
    'prometheus_tsdb_head_truncations_failed_total',
    'Truncations of the head that failed.',
    (stats) => stats.headTruncationFailures,
  ],
  ['prometheus_tsdb_checkpoint_creations_total', 'Log checkpoints.', (stats) => stats.checkpoints],
  [
    'prometheus_tsdb_checkpoint_creations_failed_total',
    'Log checkpoints that failed.',
    (stats) => stats.checkpointFailures,
  ],
  ['prometheus_tsdb_compactions_total', 'Compactions.', (stats) => stats.compactor.compactions],
  ['prometheus_tsdb_compactions_failed_total', 'Compactions that failed.', (stats) => stats.compactor.failures],
  [
    'prometheus_tsdb_vertical_compactions_total',
    'Compactions of overlapping blocks.',
    (stats) => stats.compactor.vertical,
  ],
  ['promlet_tsdb_compaction_seconds_total', 'Time that compactions took.', (stats) => stats.compactor.durationSeconds],
  ['prometheus_tsdb_reloads_total', 'Reloads of the blocks.', (stats) => stats.blocks.reloads],
  [
    'prometheus_tsdb_reloads_failures_total',
    'Reloads of the blocks that failed.',
    (stats) => stats.blocks.reloadFailures,
  ],
  [
    'prometheus_tsdb_time_retentions_total',
    'Times that blocks were past the retention time.',
    (stats) => stats.blocks.timeRetentions,
  ],
  [
    'prometheus_tsdb_size_retentions_total',
    'Times that blocks were past the retention size.',
    (stats) => stats.blocks.sizeRetentions,
  ],
  ['promlet_tsdb_blocks_deleted_total', 'Blocks deleted.', (stats) => stats.blocks.deleted],
  [
    'promlet_tsdb_block_deletion_failures_total',
    'Blocks that could not be deleted.',
    (stats) => stats.blocks.deletionFailures,
  ],
  ['prometheus_tsdb_wal_corruptions_total', 'Damaged stretches of the WAL.', (stats) => stats.replay.damage.length],
];

function addTsdb(registry: Registry, tsdb: Tsdb): void {
  // Asked for once a page: sizes of files are looked up.
  let stats: TsdbStats | undefined;
  const read = (): TsdbStats => {
    if (stats === undefined) {
      stats = tsdb.stats();
      setImmediate(() => (stats = undefined));
    }
    return stats;
  };
  for (const [name, help, take] of TSDB_GAUGES) gauge(registry, name, help, () => take(read()));
  for (const [name, help, take] of TSDB_COUNTERS) counter(registry, name, help, () => take(read()));
}

const SCRAPE_COUNTERS: readonly [name: string, help: string, read: (stats: ScrapeStats) => number][] = [
  ['scrape_pools_total', 'Scrape pools created.', (stats) => stats.poolsCreated],
  [
    'scrape_pool_exceeded_target_limit_total',
    'Times a job had too many targets.',
    (stats) => stats.exceededTargetLimit,
  ],
  ['scrape_pool_exceeded_label_limits_total', 'Scrapes above a label limit.', (stats) => stats.exceededLabelLimits],
  ['scrapes_exceeded_sample_limit_total', 'Scrapes above the sample limit.', (stats) => stats.exceededSampleLimit],
  [
    'scrapes_exceeded_body_size_limit_total',
    'Scrapes above the body size limit.',
    (stats) => stats.exceededBodySizeLimit,
  ],
  ['scrapes_sample_out_of_order_total', 'Samples rejected as out of order.', (stats) => stats.samplesOutOfOrder],
  [
    'scrapes_sample_duplicate_timestamp_total',
    'Samples of one time with two values.',
    (stats) => stats.samplesDuplicate,
  ],
  ['scrapes_sample_out_of_bounds_total', 'Samples too old or too far ahead.', (stats) => stats.samplesOutOfBounds],
];

/** Of `prometheus_target_interval_length_seconds`, as Prometheus has them. */
const INTERVAL_QUANTILES = [0.01, 0.05, 0.5, 0.9, 0.99];

function addScrape(registry: Registry, scrape: MetricSources['scrape']): void {
  const { stats } = scrape;
  for (const [name, help, read] of SCRAPE_COUNTERS) {
    counter(registry, `prometheus_target_${name}`, help, () => read(stats));
  }
  new Gauge({
    name: 'prometheus_target_scrape_pool_targets',
    help: 'Targets of a job.',
    labelNames: ['scrape_job'],
    registers: [registry],
    collect() {
      this.reset();
      for (const [job, count] of scrape.targetCounts()) this.set({ scrape_job: job }, count);
    },
  });
  family(
    registry,
    'prometheus_target_interval_length_seconds',
    'Times between two scrapes of a target.',
    'summary',
    () =>
      [...stats.intervals].flatMap((lengths) => {
        const { interval, count, sumMs } = lengths;
        const quantiles = lengths.quantilesMs(INTERVAL_QUANTILES).map((ms) => ms / 1000);
        return summaryValues({ interval }, INTERVAL_QUANTILES, quantiles, { count, sum: sumMs / 1000 });
      }),
  );
}

const QUERY_QUANTILES = [0.5, 0.9, 0.99];
const PARTS_HELP = 'Times of the parts of queries.';

function addQueries(registry: Registry, { queries, maxConcurrentQueries }: MetricSources): void {
  gauge(registry, 'prometheus_engine_queries', 'Queries that run or wait.', () => queries.current);
  gauge(
    registry,
    'prometheus_engine_queries_concurrent_max',
    'Queries that may run at a time.',
    () => maxConcurrentQueries,
  );
  gauge(registry, 'prometheus_engine_query_log_enabled', 'Whether queries are logged.', () =>
    queries.log.isOpen ? 1 : 0,
  );
  counter(
    registry,
    'prometheus_engine_query_log_failures_total',
    'Queries that could not be logged.',
    () => queries.log.failures,
  );
  counter(
    registry,
    'prometheus_engine_query_samples_total',
    'Samples that queries read from storage.',
    () => queries.samples,
  );
  counter(
    registry,
    'prometheus_engine_query_samples_read_total',
    'Samples that queries read from storage, each once.',
    () => queries.samples,
  );
  family(registry, 'prometheus_engine_query_duration_seconds', PARTS_HELP, 'summary', () =>
    QUERY_SLICES.flatMap((slice) => {
      const times = queries.slices[slice];
      const { count, sumSeconds: sum } = times;
      return summaryValues({ slice }, QUERY_QUANTILES, times.quantiles(QUERY_QUANTILES), { count, sum });
    }),
  );
  family(registry, 'prometheus_engine_query_duration_histogram_seconds', PARTS_HELP, 'histogram', () =>
    QUERY_SLICES.flatMap((slice) => {
      const { atMost, count, sumSeconds: sum } = queries.slices[slice];
      const bounds = [...BUCKET_BOUNDS, '+Inf'];
      const buckets = [...atMost, count].map((value, i) => ({
        suffix: '_bucket',
        labels: { slice, le: bounds[i]! },
        value,
      }));
      return [...buckets, ...totalValues({ slice }, { count, sum })];
    }),
  );
}

/** One series of a family. */
interface FamilyValue {
  /** Of its name. */
  readonly suffix: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

interface Totals {
  readonly count: number;
  readonly sum: number;
}

/** A summary or a histogram that is kept elsewhere; prom-client's own would be kept up to date a second time. */
function family(
  registry: Registry,
  name: string,
  help: string,
  type: 'summary' | 'histogram',
  read: () => readonly FamilyValue[],
): void {
  const get = () => {
    const values = read().map(({ suffix, labels, value }) => ({ metricName: name + suffix, labels, value }));
    return Promise.resolve({ name, help, type, values });
  };
  // Of a metric the registry uses no more.
  registry.registerMetric({ name, get } as unknown as Metric);
}

function summaryValues(
  labels: FamilyValue['labels'],
  quantiles: readonly number[],
  values: readonly number[],
  totals: Totals,
): FamilyValue[] {
  const own = quantiles.map((quantile, i) => ({ suffix: '', labels: { ...labels, quantile }, value: values[i]! }));
  return [...own, ...totalValues(labels, totals)];
}

function totalValues(labels: FamilyValue['labels'], { count, sum }: Totals): FamilyValue[] {
  return [
    { suffix: '_sum', labels, value: sum },
    { suffix: '_count', labels, value: count },
  ];
}

function gauge(registry: Registry, name: string, help: string, read: () => number): void {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(read());
    },
  });
}

/** For counts that are kept elsewhere. */
function counter(registry: Registry, name: string, help: string, read: () => number): void {
  new Counter({
    name,
    help,
    registers: [registry],
    collect() {
      this.reset();
      this.inc(read());
    },
  });
}
