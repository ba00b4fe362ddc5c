import type { Context } from 'koa';
import { errorMessage } from '../model/index.ts';
import { parseSelector } from '../promql/index.ts';
import { clientGone } from './client-gone.ts';
import type { ApiDeps } from './deps.ts';
import { toApiError } from './errors.ts';
import { negotiateText } from './exposition-format.ts';
import { federateEndpoint, federationParams } from './federate-endpoint.ts';
import { type Answer, type Piece, sendText } from './respond.ts';
import type { Turns } from './turns.ts';

/**
 * `/federate`: the newest sample of every selected series, in the text format (Prometheus `web/federate.go`). Native
 * histograms with exponential buckets have no place in that format and are left out, as Prometheus does.
 */
export async function federate(ctx: Context, deps: ApiDeps, turns: Turns): Promise<void> {
  const asked = new URLSearchParams(ctx.querystring);
  const signal = clientGone(ctx.res);
  try {
    asked.getAll('match[]').forEach(parseSelector);
  } catch (error) {
    sendPlainError(ctx, 400, errorMessage(error));
    return;
  }
  const { contentType, escaping } = negotiateText(ctx.get('Accept'));
  const params = federationParams(asked, { external: deps.externalLabels?.(), escaping });
  const memory = deps.memory?.open();
  const request = { params, name: '', signal, ...(memory && { budget: memory.budget }) };
  const elsewhere = deps.endpoints?.['federate'];
  try {
    const answer = await (elsewhere === undefined
      ? turns.take(new URLSearchParams(), signal, () => federateEndpoint(deps)(request))
      : elsewhere(request));
    ctx.vary('Accept-Encoding');
    ctx.status = 200;
    await sendText(ctx, contentType, textOf(answer));
  } catch (error) {
    deps.log.warn({ error: errorMessage(error) }, 'federation failed');
    if (ctx.res.headersSent) return;
    sendPlainError(ctx, toApiError(error, signal).errorType === 'unavailable' ? 503 : 500, errorMessage(error));
  } finally {
    memory?.close();
  }
}

async function* textOf({ pieces = [] }: Answer): AsyncGenerator<Piece> {
  yield* pieces;
}

function sendPlainError(ctx: Context, status: number, message: string): void {
  ctx.status = status;
  ctx.set('Content-Type', 'text/plain; charset=utf-8');
  ctx.body = `${message}\n`;
}
