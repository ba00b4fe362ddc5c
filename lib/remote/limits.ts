/** Every bound of the remote read protocol. All sizes are bytes. */
export interface RemoteReadLimits {
  /** Request body, before and after decompression. */
  readonly maxRequestBytes: number;
  readonly maxQueriesPerRequest: number;
  readonly maxMatchersPerQuery: number;
  /** Written: a frame is closed once it holds this much (and at most one chunk more), as Prometheus does. */
  readonly frameBytes: number;
  /** Written: protobuf bytes of a SAMPLES answer; a larger one is refused with the advice to stream. */
  readonly maxSamplesAnswerBytes: number;
  /** Requests that are answered at the same time; later ones wait. */
  readonly maxConcurrentReads: number;
}

export const REMOTE_READ_LIMITS: RemoteReadLimits = {
  maxRequestBytes: 1 << 20,
  maxQueriesPerRequest: 64,
  maxMatchersPerQuery: 256,
  frameBytes: 1 << 20,
  maxSamplesAnswerBytes: 64 << 20,
  maxConcurrentReads: 10,
};

/** What a client accepts from the other side. */
export interface RemoteClientLimits {
  /** Largest frame of a stream: Prometheus's frames hold at most 1 MiB and one chunk. */
  readonly maxFrameBytes: number;
  /** Bytes of one answer as received, and, for SAMPLES, after decompression. */
  readonly maxAnswerBytes: number;
  /** Labels of one series. */
  readonly maxLabelsPerSeries: number;
}

export const REMOTE_CLIENT_LIMITS: RemoteClientLimits = {
  maxFrameBytes: 8 << 20,
  maxAnswerBytes: 256 << 20,
  maxLabelsPerSeries: 256,
};

/** Bounds of the remote write receiver. */
export interface RemoteWriteLimits {
  /** Request body, before and after decompression, bytes. */
  readonly maxRequestBytes: number;
  /** Requests that are read and stored at the same time; later ones wait. */
  readonly maxConcurrentWrites: number;
  /** Strings of one request of version 2.0. */
  readonly maxSymbols: number;
  readonly maxLabelsPerSeries: number;
  /** UTF-8. */
  readonly maxLabelNameBytes: number;
  readonly maxLabelValueBytes: number;
  /** Exemplars, and histograms, of one series in one request. */
  readonly maxEntriesPerSeries: number;
  /** Faults that an answer tells of. */
  readonly maxFaultsTold: number;
}

export const REMOTE_WRITE_LIMITS: RemoteWriteLimits = {
  maxRequestBytes: 32 << 20,
  maxConcurrentWrites: 2,
  maxSymbols: 1 << 18,
  maxLabelsPerSeries: 40,
  maxLabelNameBytes: 256,
  maxLabelValueBytes: 4096,
  maxEntriesPerSeries: 50_000,
  maxFaultsTold: 20,
};
