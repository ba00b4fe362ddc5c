export { type RemoteReadAnswer, type RemoteReadClient, readRemote } from './client.ts';
export { createWireCodec, type WireCodec } from './codec.ts';
export {
  REMOTE_CLIENT_LIMITS,
  REMOTE_READ_LIMITS,
  REMOTE_WRITE_LIMITS,
  type RemoteClientLimits,
  type RemoteReadLimits,
  type RemoteWriteLimits,
} from './limits.ts';
export { mergeRuns } from './merge-samples.ts';
export { remoteRead, type RemoteReadOptions } from './middleware.ts';
export { answerRead, type ReadAnswer, type RemoteReadDeps } from './read-answer.ts';
export { type ReadHints, type ReadQuery, type ReadRequest, ResponseType } from './read-request.ts';
export { ChunkedSeries, type EncodedChunk, type RemoteSeries, SampledSeries } from './remote-series.ts';
export {
  type HttpAnswer,
  type HttpRequest,
  type HttpTransport,
  nodeTransport,
  type TransportOptions,
} from './transport.ts';
export { remoteWrite, type RemoteWriteOptions } from './write-middleware.ts';
