// The one entry of the kernels module: every kernel that TypeScript calls is exported here.
export { addCounts, addExtremes, addMeans, addSums, firstBeyond } from './accumulate';
export { clearBytes, copyBytes } from './bytes';
export { crc32c } from './crc32c';
export { filterPostings, hashBytes, lookupLabels } from './labels';
export { decodeHistograms, openHistograms } from './histogram-read';
export { appendHistogram, histogramDecreased, histogramValues, startHistograms } from './histogram-write';
export { printFloat, printPoint, printPoints, printTime } from './print';
export { printTexts } from './print-texts';
export { postingsAscend, readPostings } from './postings';
export { gatherValues, keepMatching, readPostingsOffsets } from './postings-offsets';
export { decodeSamples, encodeSamples } from './records';
export { hashLine, scanPage } from './scan';
export { snappyCompress, snappyDecompress, snappyLength } from './snappy';
export { sweepDelta, sweepInstantDelta } from './window-deltas';
export { sweepCount, sweepSum } from './window-sums';
export { hasStaleMarkers, lookUp, sweepExtreme } from './windows';
export { readSeriesEntry } from './series-entry';
export { readXorChunk } from './stored-chunk';
export { appendBatch, decodeXor, decodeXorWithin, stageSamples } from './xor';
export { encodeXor } from './xor-encode';
export { decodeXor2 } from './xor2';
/** First byte after the module's static data and the tables built at its start; the arena begins here. */
export function heapBase(): usize {
  return heap.alloc(16) + 16;
}
