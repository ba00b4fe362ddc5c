export { appendSamples } from './append-samples.ts';
export { type Chunk, Encoding, type Interval, MAX_CHUNK_BYTES, sampleCount } from './chunk.ts';
export { CounterResetHeader } from './counter-reset.ts';
export { ChunkDecoder } from './decoder.ts';
export { encodeSamples } from './encode.ts';
export { type CutReason, HistogramChunkAppender, HistogramScratch } from './histogram-appender.ts';
export { rawChunk, rawEncoding, storedEncoding } from './raw.ts';
export { atKnownResolution } from './reduce-resolution.ts';
