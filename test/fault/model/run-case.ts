import { createLogger, seededRandom } from '../../../lib/env/index.ts';
import { createKernels } from '../../../lib/kernels/index.ts';
import { errorMessage, type Labels, Matcher } from '../../../lib/model/index.ts';
import { AppendResult, type SeriesRef } from '../../../lib/storage/index.ts';
import { openTsdb, type Tsdb, type TsdbOptions } from '../../../lib/tsdb/index.ts';
import { dumpOf } from '../../tools/samples.ts';
import type { Fault } from '../faults.ts';
import { faultAt } from '../faults.ts';
import { Machine } from '../file-system.ts';
import { FakeClock, settled } from './fake-clock.ts';
import { Model } from './model.ts';
import {
  type Case,
  type CaseValue,
  type Operation,
  type Row,
  scrapedValue,
  type Selection,
  seriesLabels,
  START_MS,
  textOf,
  valueOf,
} from './operations.ts';

/** Cases have directories of their own: a lock that one leaves behind is not in the way of the next. */
let cases = 0;
const MAX_FUTURE_MS = 600_000;
/** A full comparison after so many operations, and after each that is not an append. */
const COMPARE_EVERY = 8;

/** What went wrong in a case, and in which of its operations. */
export interface Failure {
  readonly operation: number;
  readonly reason: string;
}

class Mismatch extends Error {}

export interface RunOptions {
  /** Opens the database under test, or a worse one. */
  readonly opener?: typeof openTsdb;
  /** Is shown the machine at the end. */
  readonly observe?: (machine: Machine) => void;
}

/** Runs a case on a database in a machine of its own. @returns undefined when it behaved as the model says */
export async function runCase(checked: Case, options: RunOptions = {}): Promise<Failure | undefined> {
  const checker = new Checker(checked, options.opener ?? openTsdb);
  let operation = -1;
  try {
    await checker.open();
    for (operation = 0; operation < checked.operations.length; operation++) {
      await checker.run(checked.operations[operation]!);
      if (operation % COMPARE_EVERY === 0) await checker.compareAll();
    }
    await checker.run({ op: 'restart' });
    options.observe?.(checker.machine);
    return undefined;
  } catch (error) {
    const reason = error instanceof Mismatch ? error.message : error instanceof Error ? error.stack! : String(error);
    return { operation, reason };
  } finally {
    await checker.end();
  }
}

class Checker {
  readonly #dir = `/${++cases}/data`;
  db!: Tsdb;
  readonly #case: Case;
  readonly #opener: typeof openTsdb;
  readonly machine = new Machine();
  readonly #clock = new FakeClock(START_MS);
  readonly #model: Model;
  readonly #random = seededRandom(1);
  /** A fault went off in the operation that is running. */
  #faultNow = false;
  /** An fsync failed: what it was to write may never reach the disk, whatever is done. */
  #syncFailed = false;
  /** When a fault killed the process: the clock may have gone on before that was seen. */
  #diedMs = 0;
  /** A power loss follows when the process dies. */
  #powerLossSeed: number | undefined;
  /** The database may have found the log damaged. */
  #expectDamage = false;
  /** No sample at or before it is surely accepted, because there may be a newer one. */
  #newestEverMs = -Infinity;
  #snapshots = 0;
  /** Series may have left the head, and forgotten their newest sample. */
  #truncated = false;
  readonly #deleted: Selection[] = [];

  constructor(checked: Case, opener: typeof openTsdb) {
    this.#case = checked;
    this.#opener = opener;
    this.#model = new Model(checked.options.walFsyncIntervalMs);
    this.machine.put([[`${this.#dir}/placeholder`, new Uint8Array(0)]]);
  }

  async open(): Promise<void> {
    const attempt = async (): Promise<Tsdb> => {
      const fileSystem = this.machine.boot();
      return this.#opener({
        ...this.#tsdbOptions(),
        dir: this.#dir,
        fileSystem,
        clock: this.#clock,
        logger: createLogger('silent'),
        kernels: createKernels(),
        limits: { maxFutureMs: MAX_FUTURE_MS },
      });
    };
    try {
      this.db = await attempt();
    } catch (error) {
      if (!this.#faultNow) throw error;
      this.machine.plan = undefined;
      this.#expectDamage = true;
      this.db = await attempt();
    }
    if (!this.machine.isRunning) {
      this.machine.plan = undefined;
      await this.#reopen();
      return;
    }
    // The torn end of a file was never acknowledged.
    const damage = this.db.stats().replay.damage.filter(({ torn }) => torn !== true);
    if (!this.#expectDamage && damage.length > 0) throw new Mismatch(`damage in the log: ${JSON.stringify(damage)}`);
    // What could not be repaired is left for the next time.
    this.#expectDamage = this.#faultNow;
  }

  #tsdbOptions(): Partial<TsdbOptions> {
    const { blockDurationMs, retentionMs, ...options } = this.#case.options;
    return {
      ...options,
      minBlockDurationMs: blockDurationMs,
      maxBlockDurationMs: blockDurationMs * 9,
      retention: { timeMs: retentionMs },
      random: this.#random,
    };
  }

  async end(): Promise<void> {
    this.machine.crash();
    await this.#abandon();
  }

  /** A dead database still has its lock in this process. */
  async #abandon(): Promise<void> {
    await settled();
    await this.db?.close().catch(() => undefined);
  }

  async #reopen(): Promise<void> {
    await this.#abandon();
    await this.open();
  }

  async run(operation: Operation): Promise<void> {
    this.#faultNow = false;
    try {
      await this.#apply(operation);
    } catch (error) {
      if (error instanceof Mismatch || !this.#faultNow) throw error;
    }
    if (!this.machine.isRunning) {
      this.#expectDamage = true;
      if (this.#powerLossSeed !== undefined) this.#losePower(this.#powerLossSeed, this.#diedMs);
      this.#powerLossSeed = undefined;
      await this.#reopen();
      await this.compareAll();
    } else if (operation.op !== 'append' && operation.op !== 'clock' && operation.op !== 'fault') {
      await this.compareAll();
    }
  }

  async #apply(operation: Operation): Promise<void> {
    switch (operation.op) {
      case 'append':
        await this.#clock.advance(operation.atMs);
        await this.#commit(operation.rows);
        return;
      case 'scrapes':
        for (let scrape = 0; scrape < operation.count && this.machine.isRunning; scrape++) {
          const timeMs = operation.startMs + scrape * operation.stepMs;
          await this.#clock.advance(timeMs);
          await this.#scrape(operation.series, operation.seriesCount, timeMs);
        }
        return;
      case 'rollback': {
        const appender = this.db.appender();
        for (const { series, timeMs, value } of operation.rows) {
          appendRow(appender, appender.series(seriesLabels(series)), timeMs, value);
        }
        appender.rollback();
        return;
      }
      case 'clock':
        await this.#clock.advance(operation.atMs);
        return;
      case 'read':
        await this.#read(operation);
        return;
      case 'delete':
        await this.#delete(operation);
        return;
      case 'compact':
        await this.db.compact();
        return;
      case 'clean':
        await this.db.cleanTombstones();
        return;
      case 'snapshot':
        await this.#snapshot();
        return;
      case 'restart':
        try {
          await this.db.close();
        } catch (error) {
          // What could not be closed is gone all the same, as the process will be.
          if (!this.#faultNow) throw error;
          this.machine.crash();
          await this.#reopen();
          return;
        }
        if (this.machine.openPaths.length > 0) {
          throw new Mismatch(`left open: ${this.machine.openPaths.join(', ')}`);
        }
        await this.open();
        return;
      case 'crash':
        this.machine.crash();
        await this.#reopen();
        return;
      case 'powerLoss':
        this.#losePower(operation.seed, this.#clock.now());
        await this.#reopen();
        return;
      case 'fault':
        this.#powerLossSeed = operation.powerLossSeed;
        this.#arm(operation.after, operation.fault);
        return;
    }
  }

  #losePower(seed: number, atMs: number): void {
    this.#expectDamage = true;
    if (this.#syncFailed) {
      this.machine.crash();
      return;
    }
    this.machine.losePower(seededRandom(seed));
    this.#model.losePower(atMs);
  }

  #arm(after: number, fault: Fault): void {
    const plan = faultAt(after, fault);
    this.machine.plan = (...call) => {
      const found = plan(...call);
      if (found !== undefined) {
        this.#faultNow = true;
        if (found.kind === 'die') this.#diedMs = this.#clock.now();
        else if (call[0] === 'fsync') this.#syncFailed = true;
      }
      return found;
    };
  }

  async #scrape(first: number, count: number, timeMs: number): Promise<void> {
    const rows = Array.from({ length: count }, (_, i): Row => {
      return {
        series: first + i,
        timeMs,
        value: scrapedValue(first + i, timeMs),
      };
    });
    const appender = this.db.appender();
    const refs = Uint32Array.from(rows, ({ series }) => appender.series(seriesLabels(series)));
    const results = new Uint8Array(count);
    const values = Float64Array.from(rows, ({ value }) => value as number);
    appender.appendColumns(refs, values, count, timeMs, results);
    await this.#finish(appender, rows, results);
  }

  async #commit(rows: readonly Row[]): Promise<void> {
    const appender = this.db.appender();
    const results = rows.map(({ series, timeMs, value }) =>
      appendRow(appender, appender.series(seriesLabels(series)), timeMs, value),
    );
    await this.#finish(appender, rows, results);
  }

  async #finish(
    appender: { commit(): Promise<void> },
    rows: readonly Row[],
    results: ArrayLike<number>,
  ): Promise<void> {
    rows.forEach((row, i) => this.#checkResult(rows, i, results[i]!, row));
    try {
      await appender.commit();
    } catch (error) {
      if (this.machine.isRunning) throw error;
    }
    const surely = this.machine.isRunning;
    const nowMs = this.#clock.now();
    const { outOfOrderWindowMs } = this.#case.options;
    const newestBefore = new Map(rows.map(({ series }) => [series, this.#newestMs(seriesLabels(series))]));
    const seen = new Map<number, number>();
    for (const [i, { series, timeMs, value }] of rows.entries()) {
      if (results[i] !== AppendResult.ok) continue;
      const labels = seriesLabels(series);
      const text = textOf(value);
      const there = this.#model.at(labels, timeMs);
      const rises = timeMs > (seen.get(series) ?? -Infinity);
      // Older than what its series has, or than what the head takes in order.
      const late = outOfOrderWindowMs > 0 && timeMs < this.#newestEverMs;
      // A sample like a deleted one is accepted as a repetition of it.
      const hidden = (late || timeMs <= newestBefore.get(series)!) && this.#wasDeleted(labels, timeMs);
      seen.set(series, Math.max(timeMs, seen.get(series) ?? -Infinity));
      this.#newestEverMs = Math.max(this.#newestEverMs, timeMs);
      if (hidden) this.#model.putHidden(labels, timeMs, text, nowMs);
      else if (there.some((other) => other !== text)) this.#model.contest(labels, timeMs, text, nowMs);
      else if (surely && rises) this.#model.put(labels, timeMs, text, nowMs, late);
      else this.#model.maybePut(labels, timeMs, text, nowMs, late);
    }
  }

  /** The newest time at which there may be a sample. */
  #newestMs(labels: Labels): number {
    return this.#model.newestPossibleMs(labels);
  }

  #wasDeleted(labels: Labels, timeMs: number): boolean {
    return this.#deleted.some(
      (selection) => isSelected(labels, selection) && timeMs >= selection.minMs && timeMs <= selection.maxMs,
    );
  }

  #checkResult(rows: readonly Row[], i: number, result: number, { series, timeMs, value }: Row): void {
    const { blockDurationMs, outOfOrderWindowMs } = this.#case.options;
    const labels = seriesLabels(series);
    const what = `${labels.toString()} ${textOf(value)} at ${timeMs}`;
    const ahead = timeMs > this.#clock.now() + MAX_FUTURE_MS;
    if (ahead !== (result === AppendResult.tooFarAhead)) {
      throw new Mismatch(`${what}: result ${result} at ${this.#clock.now()}`);
    }
    if (ahead) return;
    // Of two rows of a series in one commit, the second is judged against what the first will have changed, or not.
    if (rows.slice(0, i).some((row) => row.series === series)) return;
    const newest = this.#newestMs(labels);
    // In an empty database the first sample says what is recent.
    const firstMs = rows.find((row) => row.timeMs <= this.#clock.now() + MAX_FUTURE_MS)!.timeMs;
    const newestEverMs = this.#newestEverMs === -Infinity ? firstMs : this.#newestEverMs;
    const recent = timeMs >= newestEverMs - blockDurationMs / 2;
    if (timeMs > newest && recent && result !== AppendResult.ok) {
      throw new Mismatch(`${what}: refused with ${result}, the newest sample of the series is at ${newest}`);
    }
    const there = this.#model.at(labels, timeMs);
    this.#truncated ||= this.db.stats().headTruncations > 0;
    const mayReplace = outOfOrderWindowMs > 0 || this.#truncated;
    const surelyNewest = this.#model.newestMs(labels);
    if (timeMs <= surelyNewest && result === AppendResult.ok && !there.includes(textOf(value)) && !mayReplace) {
      throw new Mismatch(`${what}: accepted, though the newest sample of the series is at ${surelyNewest}`);
    }
  }

  async #delete(selection: Selection): Promise<void> {
    const selected = (labels: Labels): boolean => isSelected(labels, selection);
    const { minMs, maxMs } = selection;
    this.#deleted.push(selection);
    let surely = false;
    try {
      await this.db.deleteSeries(minMs, maxMs, [matcherOf(selection)]);
      surely = this.machine.isRunning;
    } finally {
      this.#model.delete(selected, minMs, maxMs, this.#clock.now(), surely);
    }
  }

  async #read(selection: Selection): Promise<void> {
    const { minMs, maxMs } = selection;
    const dump = await dumpOf(this.db, [matcherOf(selection)], minMs, maxMs);
    this.#expire();
    const wrong = this.#model.compare(dump, (labels) => isSelected(labels, selection), minMs, maxMs);
    if (wrong !== undefined) throw new Mismatch(`a selection: ${wrong}`);
  }

  async #snapshot(): Promise<void> {
    const dir = `${this.#dir}/snapshots/${this.#snapshots++}`;
    await this.db.snapshot(dir, true);
    const copy = await this.#opener({
      ...this.#tsdbOptions(),
      dir,
      fileSystem: this.machine.fileSystem,
      clock: new FakeClock(this.#clock.now()),
      logger: createLogger('silent'),
      kernels: createKernels(),
    });
    try {
      // As in Prometheus, what the head has out of order is not in it.
      const wrong = this.#model.compare(await dumpOf(copy), () => true, -Infinity, Infinity, true);
      if (wrong !== undefined) throw new Mismatch(`the snapshot: ${wrong}`);
    } finally {
      await copy.close();
    }
    this.machine.fileSystem.rmSync(dir, { recursive: true });
  }

  #expire(): void {
    const { retentionMs } = this.#case.options;
    if (retentionMs > 0) this.#model.expire(this.#newestEverMs - retentionMs);
  }

  async compareAll(): Promise<void> {
    const dump = await dumpOf(this.db);
    this.#expire();
    const wrong = this.#model.compare(dump);
    if (wrong !== undefined) throw new Mismatch(wrong);
    const querier = this.db.querier(-1e15, 1e15);
    try {
      const { values } = await querier.labelValues('series', {}, []);
      const named = new Set(values);
      for (const labels of this.#model.labelSets()) {
        const series = labels.get('series');
        if (this.#model.newestMs(labels) > -Infinity && !named.has(series)) {
          throw new Mismatch(`label values of series lack ${series}`);
        }
      }
      if ([...named].sort().length !== values.length) throw new Mismatch('label values come twice');
    } finally {
      querier.close();
    }
  }
}

function appendRow(
  appender: ReturnType<Tsdb['appender']>,
  ref: SeriesRef,
  timeMs: number,
  value: CaseValue,
): AppendResult {
  const plain = valueOf(value);
  return typeof plain === 'number' ? appender.append(ref, timeMs, plain) : appender.appendHistogram(ref, timeMs, plain);
}

function isSelected(labels: Labels, { label, value }: Selection): boolean {
  return (labels.get(label) ?? '') === value;
}

function matcherOf({ label, value }: Selection): Matcher {
  return new Matcher('=', label, value);
}

/** For messages. */
export function failureText({ operation, reason }: Failure): string {
  return `operation ${operation}: ${errorMessage(reason)}`;
}
