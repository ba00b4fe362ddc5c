import { zstdDecompressSync } from 'node:zlib';
import { type Kernels, Scratch } from '../../kernels/index.ts';
import { SampleBuffer } from '../head/columns.ts';
import { MAX_RECORD_BYTES } from '../limits.ts';
import { decodeExemplars, type LoggedExemplar } from './exemplar-record.ts';
import {
  FLAG_SNAPPY,
  FLAG_ZSTD,
  RECORD_CUSTOM_FLOAT_HISTOGRAMS,
  RECORD_CUSTOM_HISTOGRAMS,
  RECORD_EXEMPLARS,
  RECORD_FLOAT_HISTOGRAMS,
  RECORD_FLOAT_HISTOGRAMS_V2,
  RECORD_HISTOGRAMS,
  RECORD_HISTOGRAMS_V2,
  RECORD_METADATA,
  RECORD_MMAP_MARKERS,
  RECORD_NAMES,
  RECORD_SAMPLES,
  RECORD_SAMPLES_V2,
  RECORD_SERIES,
  RECORD_TOMBSTONES,
} from './format.ts';
import { decodeHistograms, HistogramSamples } from './histogram-record.ts';
import { decodeMetadata, type LoggedMetadata } from './metadata-record.ts';
import { decodeMmapMarkers, type MmapMarker } from './mmap-marker-record.ts';
import { decodeSeries, type EncodedSeries, type LoggedSeries, scanSeries } from './series-record.ts';
import { decodeTombstones, type LoggedTombstone } from './tombstone-record.ts';

/** Smallest sample in a record: two varints of a byte and a value. */
const MIN_SAMPLE_RECORD_BYTES = 10;
/** What a zstd frame begins with (RFC 8878, 3.1.1). */
const ZSTD_MAGIC = [0x28, 0xb5, 0x2f, 0xfd];

/**
 * Who is told what a log holds, in its order. What a visitor has no method for is not decoded, only counted. Refs are in
 * 1..2^32-1, times are safe integers; whether a ref is known is the visitor's business. Rows are the visitor's to keep, but
 * for the samples, which are valid during the call and may be changed in place.
 */
export interface LogVisitor {
  series?(series: readonly LoggedSeries[]): void;
  /** Instead of `series`: labels as they lie in the record, valid during the call. */
  encodedSeries?(series: readonly EncodedSeries[]): void;
  samples?(samples: SampleBuffer): void;
  /** Integer and float ones, custom buckets included. */
  histograms?(samples: HistogramSamples): void;
  exemplars?(exemplars: readonly LoggedExemplar[]): void;
  metadata?(metadata: readonly LoggedMetadata[]): void;
  tombstones?(tombstones: readonly LoggedTombstone[]): void;
  mmapMarkers?(markers: readonly MmapMarker[]): void;
}

/** Decompresses and decodes records that lie in the arena, and counts them. A malformed record is not visited at all. */
export class RecordDecoder {
  readonly #kernels: Kernels;
  readonly #visitor: LogVisitor;
  readonly #plain: Scratch;
  readonly #samples: SampleBuffer;
  records = 0;
  /** Float samples and histograms. */
  sampleCount = 0;
  /** By name, records that the visitor does not take, or that nobody knows. */
  readonly skipped: Record<string, number> = {};

  constructor(kernels: Kernels, visitor: LogVisitor) {
    this.#kernels = kernels;
    this.#visitor = visitor;
    this.#plain = new Scratch(kernels.arena);
    this.#samples = new SampleBuffer(kernels.arena);
  }

  /** @returns what is wrong with the record, undefined when it was taken or skipped as known */
  decode(stored: number, storedLength: number, flags: number): string | undefined {
    const { wasm, arena } = this.#kernels;
    let address = stored;
    let length = storedLength;
    if (flags & FLAG_SNAPPY) {
      length = wasm.snappyLength(stored, storedLength);
      if (length < 0 || length > MAX_RECORD_BYTES) return 'a compressed record without a sensible length';
      address = this.#plain.reserve(length);
      if (wasm.snappyDecompress(stored, storedLength, address, length) < 0) return 'a record that does not decompress';
    } else if (flags & FLAG_ZSTD) {
      const plain = this.#zstd(stored, storedLength);
      if (plain === undefined) return 'a record that does not decompress';
      length = plain.length;
      address = this.#plain.reserve(length);
      arena.u8.set(plain, address);
    }
    if (flags === 0 && this.#looksCompressed(address, length)) return 'a compressed record that is not marked as such';
    this.records++;
    return this.#visit(address, length);
  }

  release(): void {
    this.#plain.release();
    this.#samples.release();
  }

  /** No checksum covers the flags: a record of no known type may be a compressed one. */
  #looksCompressed(address: number, length: number): boolean {
    const { wasm, arena } = this.#kernels;
    if (length === 0 || RECORD_NAMES[arena.u8[address]!] !== undefined) return false;
    if (length > 4 && ZSTD_MAGIC.every((byte, i) => arena.u8[address + i] === byte)) return true;
    const plainLength = wasm.snappyLength(address, length);
    if (plainLength <= 0 || plainLength > MAX_RECORD_BYTES) return false;
    const plain = this.#plain.reserve(plainLength);
    return wasm.snappyDecompress(address, length, plain, plainLength) >= 0;
  }

  #zstd(address: number, length: number): Uint8Array | undefined {
    const { u8 } = this.#kernels.arena;
    try {
      return zstdDecompressSync(u8.slice(address, address + length), { maxOutputLength: MAX_RECORD_BYTES });
    } catch {
      // The caller reports it as damage, with its place.
      return undefined;
    }
  }

  #visit(address: number, length: number): string | undefined {
    const { u8 } = this.#kernels.arena;
    const bytes = u8.subarray(address, address + length);
    const visitor = this.#visitor;
    const type = length > 0 ? bytes[0]! : 0;
    switch (type) {
      case RECORD_SERIES:
        if (visitor.encodedSeries !== undefined) {
          return taken(scanSeries(bytes), type, (rows) => visitor.encodedSeries!(rows));
        }
        if (visitor.series === undefined) break;
        return taken(decodeSeries(bytes), type, (rows) => visitor.series!(rows));
      case RECORD_SAMPLES:
      case RECORD_SAMPLES_V2:
        if (visitor.samples === undefined) break;
        return this.#samplesRecord(address, length);
      case RECORD_HISTOGRAMS:
      case RECORD_FLOAT_HISTOGRAMS:
      case RECORD_CUSTOM_HISTOGRAMS:
      case RECORD_CUSTOM_FLOAT_HISTOGRAMS:
      case RECORD_HISTOGRAMS_V2:
      case RECORD_FLOAT_HISTOGRAMS_V2:
        if (visitor.histograms === undefined) break;
        return this.#histograms(bytes, type);
      case RECORD_EXEMPLARS:
        if (visitor.exemplars === undefined) break;
        return taken(decodeExemplars(bytes), type, (rows) => visitor.exemplars!(rows));
      case RECORD_METADATA:
        if (visitor.metadata === undefined) break;
        return taken(decodeMetadata(bytes), type, (rows) => visitor.metadata!(rows));
      case RECORD_TOMBSTONES:
        if (visitor.tombstones === undefined) break;
        return taken(decodeTombstones(bytes), type, (rows) => visitor.tombstones!(rows));
      case RECORD_MMAP_MARKERS:
        if (visitor.mmapMarkers === undefined) break;
        return taken(decodeMmapMarkers(bytes), type, (rows) => visitor.mmapMarkers!(rows));
    }
    const name = RECORD_NAMES[type] ?? 'unknown';
    this.skipped[name] = (this.skipped[name] ?? 0) + 1;
    return undefined;
  }

  #samplesRecord(address: number, length: number): string | undefined {
    const samples = this.#samples;
    samples.length = 0;
    samples.reserve(Math.ceil(length / MIN_SAMPLE_RECORD_BYTES) + 1);
    const count = this.#kernels.wasm.decodeSamples(
      address,
      length,
      samples.refs,
      samples.times,
      samples.values,
      samples.capacity,
    );
    if (count === -2) return 'a samples record with a series ref outside 1..2^32-1';
    if (count < 0) return malformed(RECORD_SAMPLES);
    samples.length = count;
    this.sampleCount += count;
    this.#visitor.samples!(samples);
    return undefined;
  }

  #histograms(bytes: Uint8Array, type: number): string | undefined {
    const samples = new HistogramSamples();
    if (!decodeHistograms(bytes, samples)) return malformed(type);
    this.sampleCount += samples.length;
    if (samples.length > 0) this.#visitor.histograms!(samples);
    return undefined;
  }
}

/** Hands rows on, when there are. @returns what is wrong when the record could not be decoded */
function taken<Row>(
  rows: readonly Row[] | undefined,
  type: number,
  visit: (rows: readonly Row[]) => void,
): string | undefined {
  if (rows === undefined) return malformed(type);
  if (rows.length > 0) visit(rows);
  return undefined;
}

function malformed(type: number): string {
  return `a malformed ${RECORD_NAMES[type]} record`;
}
