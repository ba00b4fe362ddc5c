import { setImmediate as nextTurn } from 'node:timers/promises';
import { AssertionError, errorMessage, PromletError } from '../model/index.ts';
import { type Appendable, type Appender, AppendResult } from '../storage/index.ts';
import type { RemoteWriteLimits } from './limits.ts';
import { type ReceivedSeries, readWriteRequest, readWriteRequestV2 } from './write-request.ts';
import type { WriteVersion } from './write-content-type.ts';

/** Samples stored between two turns of the event loop: a few milliseconds of work. */
const SAMPLES_PER_TURN = 4096;

export interface WriteOutcome {
  /** 204, 400 or 500. */
  readonly status: number;
  /** What speaks against it; '' for 204. */
  readonly message: string;
  readonly samples: number;
  readonly histograms: number;
  readonly exemplars: number;
}

export interface WriteStorage {
  readonly appendable: Appendable;
  /** Whether late samples are taken: what is too late is called otherwise then. */
  readonly takesLateSamples: () => boolean;
  readonly onWarning: (message: string) => void;
}

/**
 * Stores an uncompressed request (Prometheus `storage/remote/write_handler.go`). Of version 1.0 all is stored or, when a
 * sample cannot be, nothing; series with invalid labels are passed over. Of version 2.0 all that can be is stored, and the rest told.
 * When storage takes no new series the others are stored, whatever the version: a sender should not try those again.
 */
export async function storeWriteRequest(
  bytes: Uint8Array,
  version: WriteVersion,
  storage: WriteStorage,
  limits: RemoteWriteLimits,
): Promise<WriteOutcome> {
  const store = new WriteStore(version, storage, limits);
  try {
    const request = version === 1 ? readWriteRequest(bytes, limits) : readWriteRequestV2(bytes, limits);
    let work = 0;
    for (const series of request) {
      store.add(series);
      work += 1 + series.samples.length + series.histograms.length + series.exemplars.length;
      if (work < SAMPLES_PER_TURN) continue;
      work = 0;
      await nextTurn();
    }
  } catch (error) {
    store.rollback();
    const isBad = error instanceof PromletError && BAD_REQUEST.has(error.code);
    return { ...NOTHING, status: isBad ? 400 : 500, message: errorMessage(error) };
  }
  try {
    await store.commit();
  } catch (error) {
    return { ...NOTHING, status: 500, message: errorMessage(error) };
  }
  return store.outcome();
}

const NOTHING = { samples: 0, histograms: 0, exemplars: 0 } as const;
const REFUSED_SAMPLE = 'remote/refused-sample';
/** What a sender should not send again. */
const BAD_REQUEST: ReadonlySet<string> = new Set([REFUSED_SAMPLE, 'remote/bad-protobuf', 'storage/invalid-histogram']);

class WriteStore {
  readonly #version: WriteVersion;
  readonly #storage: WriteStorage;
  readonly #limits: RemoteWriteLimits;
  readonly #appender: Appender;
  readonly #faults: string[] = [];
  #faultCount = 0;
  #samples = 0;
  #histograms = 0;
  #exemplars = 0;

  constructor(version: WriteVersion, storage: WriteStorage, limits: RemoteWriteLimits) {
    this.#version = version;
    this.#storage = storage;
    this.#limits = limits;
    this.#appender = storage.appendable.appender();
  }

  rollback(): void {
    this.#appender.rollback();
  }

  commit(): Promise<void> {
    return this.#appender.commit();
  }

  outcome(): WriteOutcome {
    const counts = { samples: this.#samples, histograms: this.#histograms, exemplars: this.#exemplars };
    if (this.#faultCount === 0) return { ...counts, status: 204, message: '' };
    const rest = this.#faultCount - this.#faults.length;
    const told = rest > 0 ? [...this.#faults, `and ${rest} more`] : this.#faults;
    return { ...counts, status: 400, message: told.join('\n') };
  }

  /** @throws PromletError for what makes the whole request fail */
  add(series: ReceivedSeries): void {
    const isPartial = this.#version === 2;
    if (series.fault !== '') {
      if (isPartial) this.#fault(series.fault);
      else this.#storage.onWarning(series.fault);
      return;
    }
    const { samples, histograms } = series;
    if (isPartial && samples.length === 0 && histograms.length === 0) {
      this.#fault(`TimeSeries must contain at least one sample or histogram for series ${series.labels.toString()}`);
      return;
    }
    const ref = this.#refOf(series);
    if (ref === undefined) return;
    for (let i = 0; i < samples.length; i++) {
      const result = this.#appender.append(ref, samples.timestamps[i]!, samples.values[i]!);
      if (result === AppendResult.ok) this.#samples++;
      else this.#refuse(series, this.#wordsOf(result));
    }
    for (const { timestampMs, histogram } of histograms) {
      const refusal = this.#appendHistogram(() => this.#appender.appendHistogram(ref, timestampMs, histogram));
      if (refusal === undefined) this.#histograms++;
      else this.#refuse(series, refusal);
    }
    this.#addExemplars(series, ref);
    if (series.metadata !== undefined) this.#appender.updateMetadata(ref, series.metadata);
  }

  /** @returns undefined when storage takes no new series */
  #refOf({ labels }: ReceivedSeries): number | undefined {
    try {
      return this.#appender.series(labels);
    } catch (error) {
      if (!(error instanceof PromletError) || error.code !== 'storage/series-limit') throw error;
      this.#fault(`${error.message} for series ${labels.toString()}`);
      return undefined;
    }
  }

  /** @returns why it was refused */
  #appendHistogram(append: () => AppendResult): string | undefined {
    try {
      const result = append();
      return result === AppendResult.ok ? undefined : this.#wordsOf(result);
    } catch (error) {
      if (this.#version === 1 || !(error instanceof PromletError) || error.code !== 'storage/invalid-histogram')
        throw error;
      return error.message;
    }
  }

  /** An exemplar is worth no request: only those of version 2.0 that come out of order are told. */
  #addExemplars(series: ReceivedSeries, ref: number): void {
    for (const exemplar of series.exemplars) {
      let result: AppendResult;
      try {
        result = this.#appender.appendExemplar(ref, exemplar);
      } catch (error) {
        if (!(error instanceof PromletError)) throw error;
        this.#storage.onWarning(`exemplar of ${series.labels.toString()}: ${error.message}`);
        continue;
      }
      if (result === AppendResult.ok || result === AppendResult.duplicate) this.#exemplars++;
      else if (result === AppendResult.outOfOrder && this.#version === 2) {
        this.#fault(`out of order exemplar for series ${series.labels.toString()}`);
      }
    }
    for (const fault of series.exemplarFaults) {
      this.#fault(`parsing exemplar for series ${series.labels.toString()}: ${fault}`);
    }
  }

  #refuse(series: ReceivedSeries, words: string): void {
    if (this.#version === 1) throw new PromletError(REFUSED_SAMPLE, words);
    this.#fault(`${words} for series ${series.labels.toString()}`);
  }

  #fault(message: string): void {
    this.#faultCount++;
    if (this.#faults.length < this.#limits.maxFaultsTold) this.#faults.push(message);
  }

  #wordsOf(result: AppendResult): string {
    switch (result) {
      case AppendResult.duplicate:
        return 'duplicate sample for timestamp';
      case AppendResult.tooFarAhead:
        return 'out of bounds: timestamp is too far in the future';
      case AppendResult.tooOld:
        return this.#storage.takesLateSamples() ? 'too old sample' : 'out of bounds';
      case AppendResult.outOfOrder:
        return 'out of order sample';
      case AppendResult.ok:
      case AppendResult.unknownRef:
        // The appender holds the series that it was asked for.
        throw new AssertionError(`remote write: result ${result} of an appender that holds its series`);
    }
  }
}
