/** The entry of one series in an index, as numbers; one object is filled again and again. */
export class IndexSeries {
  /** name symbol, value symbol, name symbol, … */
  symbols: Uint32Array = new Uint32Array(64);
  labelCount = 0;
  readonly chunks = new ChunkMetas();

  reserveLabels(count: number): void {
    if (2 * count > this.symbols.length) this.symbols = new Uint32Array(4 * count);
  }
}

/** Where chunks lie and what times they span, in order; columns that grow. */
export class ChunkMetas {
  length = 0;
  /** Of the first and the last sample. */
  minTimesMs: Float64Array = new Float64Array(16);
  maxTimesMs: Float64Array = new Float64Array(16);
  /** Number of the segment file, counted from 0, and offset in it: the halves of Prometheus's `BlockChunkRef`. */
  segments: Uint32Array = new Uint32Array(16);
  offsets: Uint32Array = new Uint32Array(16);

  push(minTimeMs: number, maxTimeMs: number, segment: number, offset: number): void {
    if (this.length === this.offsets.length) this.#grow();
    this.minTimesMs[this.length] = minTimeMs;
    this.maxTimesMs[this.length] = maxTimeMs;
    this.segments[this.length] = segment;
    this.offsets[this.length] = offset;
    this.length++;
  }

  #grow(): void {
    const { minTimesMs, maxTimesMs, segments, offsets } = this;
    const capacity = 2 * this.length;
    this.minTimesMs = new Float64Array(capacity);
    this.maxTimesMs = new Float64Array(capacity);
    this.segments = new Uint32Array(capacity);
    this.offsets = new Uint32Array(capacity);
    this.minTimesMs.set(minTimesMs);
    this.maxTimesMs.set(maxTimesMs);
    this.segments.set(segments);
    this.offsets.set(offsets);
  }
}
