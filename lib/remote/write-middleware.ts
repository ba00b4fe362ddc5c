import type { Context, Middleware } from 'koa';
import { type Clock, Gate, type Logger, readBody } from '../env/index.ts';
import { errorMessage, PromletError } from '../model/index.ts';
import type { WireCodec } from './codec.ts';
import { REMOTE_WRITE_LIMITS, type RemoteWriteLimits } from './limits.ts';
import { writeVersionOf } from './write-content-type.ts';
import { storeWriteRequest, type WriteOutcome, type WriteStorage } from './write-store.ts';

const PATH = '/api/v1/write';
const LOG_INTERVAL_MS = 10_000;

export interface RemoteWriteOptions extends Omit<WriteStorage, 'onWarning'> {
  readonly codec: WireCodec;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits?: Partial<RemoteWriteLimits>;
}

/**
 * Koa middleware that takes samples by remote write 1.0 and 2.0 at `POST /api/v1/write` and passes everything else on.
 * What came in is durable as scraped samples are when it answers.
 */
export function remoteWrite(options: RemoteWriteOptions): Middleware {
  const limits = { ...REMOTE_WRITE_LIMITS, ...options.limits };
  const gate = new Gate(limits.maxConcurrentWrites);
  const storage: WriteStorage = { ...options, onWarning: seldom(options.logger, options.clock) };

  return async (context, next) => {
    if (context.path !== PATH || context.method !== 'POST') return next();
    try {
      const version = writeVersionOf(context.get('Content-Type'));
      const encoding = context.get('Content-Encoding');
      if (encoding !== '' && encoding !== 'snappy') {
        const message = `${encoding} encoding (compression) is not accepted by this server; only snappy is acceptable`;
        throw new PromletError('remote/unsupported-media-type', message);
      }
      await gate.enter();
      try {
        const body = await readBody(context.req, limits.maxRequestBytes);
        if (body === undefined) {
          const message = `request body exceeds the ${limits.maxRequestBytes} bytes limit`;
          throw new PromletError('remote/body-too-large', message);
        }
        const bytes = options.codec.snappyDecompress(body, limits.maxRequestBytes, 'write request');
        const outcome = await storeWriteRequest(bytes, version, storage, limits);
        if (version === 2) tellCounts(context, outcome);
        if (outcome.status === 500) options.logger.error({ error: outcome.message }, 'remote write failed');
        send(context, outcome.status, outcome.message);
      } finally {
        gate.leave();
      }
    } catch (error) {
      if (!(error instanceof PromletError)) throw error;
      // What is left of an unread body must not be taken for the next request.
      if (!context.req.complete) context.set('Connection', 'close');
      send(context, STATUS[error.code] ?? 400, errorMessage(error));
    }
  };
}

const STATUS: Readonly<Record<string, number>> = {
  'remote/unsupported-media-type': 415,
  'remote/body-too-large': 413,
};

function tellCounts(context: Context, { samples, histograms, exemplars }: WriteOutcome): void {
  context.set({
    'X-Prometheus-Remote-Write-Samples-Written': String(samples),
    'X-Prometheus-Remote-Write-Histograms-Written': String(histograms),
    'X-Prometheus-Remote-Write-Exemplars-Written': String(exemplars),
  });
}

function send(context: Context, status: number, message: string): void {
  context.status = status;
  if (message === '') return;
  context.set({ 'Content-Type': 'text/plain; charset=utf-8', 'X-Content-Type-Options': 'nosniff' });
  context.body = `${message}\n`;
}

/** A sender says the same thing again and again. */
function seldom(logger: Logger, clock: Clock): (message: string) => void {
  let lastMs = -Infinity;
  let passed = 0;
  return (message) => {
    passed++;
    const nowMs = clock.monotonicMs();
    if (nowMs - lastMs < LOG_INTERVAL_MS) return;
    logger.warn({ error: message, times: passed }, 'a series came by remote write that cannot be taken');
    lastMs = nowMs;
    passed = 0;
  };
}
