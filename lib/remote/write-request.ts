import { Labels, METRIC_TYPES, SampleColumns } from '../model/index.ts';
import type { Exemplar, Metadata } from '../storage/index.ts';
import { readHistogram, type TimedHistogram } from './histogram-message.ts';
import type { RemoteWriteLimits } from './limits.ts';
import { ProtoReader } from './proto-reader.ts';
import { readSample } from './sample-message.ts';
import { checkedLabels, labelsOf, readPair, readRefs, resolveRefs } from './write-labels.ts';

/** One series of a request; valid until the next one is asked for. */
export interface ReceivedSeries {
  labels: Labels;
  /** Why the series cannot be taken, in Prometheus's words; '' when it can. */
  fault: string;
  readonly samples: SampleColumns;
  readonly histograms: TimedHistogram[];
  readonly exemplars: Exemplar[];
  /** Exemplars that could not be read. */
  readonly exemplarFaults: string[];
  metadata: Metadata | undefined;
}

/**
 * The series of a `prometheus.WriteRequest` (prompb/remote.proto), read one at a time. Metadata of whole families is
 * skipped, as Prometheus skips it.
 * @param bytes uncompressed
 * @throws PromletError `remote/bad-protobuf`
 */
export function* readWriteRequest(bytes: Uint8Array, limits: RemoteWriteLimits): Generator<ReceivedSeries> {
  const reader = new ProtoReader(bytes, 'WriteRequest');
  const series = emptySeries();
  while (reader.more) {
    const key = reader.key();
    if (key !== 0x0a) {
      reader.skip(key);
      continue;
    }
    const outerEnd = reader.enter();
    readSeriesV1(reader, series, limits);
    reader.leave(outerEnd);
    yield series;
  }
}

/**
 * The series of an `io.prometheus.write.v2.Request`, read one at a time. Start timestamps are passed over.
 * @param bytes uncompressed
 * @throws PromletError `remote/bad-protobuf`
 */
export function* readWriteRequestV2(bytes: Uint8Array, limits: RemoteWriteLimits): Generator<ReceivedSeries> {
  const symbols = readSymbols(bytes, limits);
  const reader = new ProtoReader(bytes, 'write.v2.Request');
  const series = emptySeries();
  while (reader.more) {
    const key = reader.key();
    if (key !== 0x2a) {
      reader.skip(key);
      continue;
    }
    const outerEnd = reader.enter();
    readSeriesV2(reader, symbols, series, limits);
    reader.leave(outerEnd);
    yield series;
  }
}

function emptySeries(): ReceivedSeries {
  return {
    labels: Labels.EMPTY,
    fault: '',
    samples: new SampleColumns(),
    histograms: [],
    exemplars: [],
    exemplarFaults: [],
    metadata: undefined,
  };
}

function clear(series: ReceivedSeries): void {
  series.labels = Labels.EMPTY;
  series.fault = '';
  series.samples.clear();
  series.histograms.length = 0;
  series.exemplars.length = 0;
  series.exemplarFaults.length = 0;
  series.metadata = undefined;
}

/** Symbols may come behind the series that use them, so they are read first. */
function readSymbols(bytes: Uint8Array, limits: RemoteWriteLimits): string[] {
  const reader = new ProtoReader(bytes, 'write.v2.Request');
  const symbols: string[] = [];
  while (reader.more) {
    const key = reader.key();
    if (key !== 0x22) {
      reader.skip(key);
      continue;
    }
    if (symbols.length === limits.maxSymbols) reader.fail(`more than ${limits.maxSymbols} symbols`);
    symbols.push(reader.string());
  }
  return symbols;
}

function readSeriesV1(reader: ProtoReader, into: ReceivedSeries, limits: RemoteWriteLimits): void {
  clear(into);
  const pairs: string[] = [];
  while (reader.more) {
    const key = reader.key();
    if (key === 0x0a) readPair(reader, pairs, limits);
    else if (key === 0x12) readSample(reader, into.samples);
    else if (key === 0x1a) {
      checkEntries(reader, into.exemplars, limits);
      const exemplar = readExemplarV1(reader, limits);
      into.exemplars.push(exemplar);
    } else if (key === 0x22) readHistogramInto(reader, into, limits);
    else reader.skip(key);
  }
  setLabels(into, checkedLabels(pairs, limits));
}

function readSeriesV2(
  reader: ProtoReader,
  symbols: readonly string[],
  into: ReceivedSeries,
  limits: RemoteWriteLimits,
): void {
  clear(into);
  const refs: number[] = [];
  let metadataFault = '';
  while (reader.more) {
    const key = reader.key();
    switch (key >>> 3) {
      case 1:
        readRefs(reader, key, refs, limits);
        break;
      case 2:
        readSample(reader, into.samples);
        break;
      case 3:
        readHistogramInto(reader, into, limits);
        break;
      case 4:
        checkEntries(reader, into.exemplars, limits);
        readExemplarV2(reader, symbols, into, limits);
        break;
      case 5:
        metadataFault = readMetadata(reader, symbols, into);
        break;
      default:
        reader.skip(key);
    }
  }
  const pairs = resolveRefs(refs, symbols);
  if (typeof pairs === 'string') into.fault = `parsing labels for series [${refs.join(' ')}]: ${pairs}`;
  else if (metadataFault !== '') into.fault = `parsing metadata for series [${refs.join(' ')}]: ${metadataFault}`;
  else setLabels(into, checkedLabels(pairs, limits));
}

function setLabels(series: ReceivedSeries, checked: Labels | string): void {
  if (typeof checked === 'string') series.fault = checked;
  else series.labels = checked;
}

function readHistogramInto(reader: ProtoReader, into: ReceivedSeries, limits: RemoteWriteLimits): void {
  checkEntries(reader, into.histograms, limits);
  const outerEnd = reader.enter();
  into.histograms.push(readHistogram(reader));
  reader.leave(outerEnd);
}

/** Two bytes of a request may ask for an object of some hundred: no more of them than a sender has a use for. */
function checkEntries(reader: ProtoReader, entries: readonly unknown[], limits: RemoteWriteLimits): void {
  if (entries.length === limits.maxEntriesPerSeries) {
    reader.fail(`more than ${limits.maxEntriesPerSeries} exemplars or histograms of one series`);
  }
}

function readExemplarV1(reader: ProtoReader, limits: RemoteWriteLimits): Exemplar {
  const pairs: string[] = [];
  let value = 0;
  let timestampMs = 0;
  const outerEnd = reader.enter();
  while (reader.more) {
    const key = reader.key();
    if (key === 0x0a) readPair(reader, pairs, limits);
    else if (key === 0x11) value = reader.double();
    else if (key === 0x18) timestampMs = reader.int64Clamped();
    else reader.skip(key);
  }
  reader.leave(outerEnd);
  return { labels: labelsOf(pairs), value, timestampMs };
}

function readExemplarV2(
  reader: ProtoReader,
  symbols: readonly string[],
  into: ReceivedSeries,
  limits: RemoteWriteLimits,
): void {
  const refs: number[] = [];
  let value = 0;
  let timestampMs = 0;
  const outerEnd = reader.enter();
  while (reader.more) {
    const key = reader.key();
    if (key >>> 3 === 1) readRefs(reader, key, refs, limits);
    else if (key === 0x11) value = reader.double();
    else if (key === 0x18) timestampMs = reader.int64Clamped();
    else reader.skip(key);
  }
  reader.leave(outerEnd);
  const pairs = resolveRefs(refs, symbols);
  if (typeof pairs !== 'string') into.exemplars.push({ labels: labelsOf(pairs), value, timestampMs });
  else if (into.exemplarFaults.length < limits.maxFaultsTold) into.exemplarFaults.push(pairs);
}

/** @returns why it cannot be taken, '' when it can */
function readMetadata(reader: ProtoReader, symbols: readonly string[], into: ReceivedSeries): string {
  let [type, help, unit] = [0, 0, 0];
  const outerEnd = reader.enter();
  while (reader.more) {
    const key = reader.key();
    if (key === 0x08) type = reader.uvarint();
    else if (key === 0x18) help = reader.uvarint();
    else if (key === 0x20) unit = reader.uvarint();
    else reader.skip(key);
  }
  reader.leave(outerEnd);
  for (const [name, ref] of [
    ['unit_ref', unit],
    ['help_ref', help],
  ] as const) {
    if (ref >= symbols.length) return `metadata ${name} ${ref} outside of symbols table (size ${symbols.length})`;
  }
  into.metadata = { type: METRIC_TYPES[type] ?? 'unknown', unit: symbols[unit]!, help: symbols[help]! };
  return '';
}
