import { Router } from '@koa/router';
import type { Context, Middleware } from 'koa';
import { adminEndpoints } from './admin.ts';
import { clientGone } from './client-gone.ts';
import { corsHeaders } from './cors.ts';
import type { ApiDeps, Endpoint } from './deps.ts';
import type { Endpoints } from './endpoint.ts';
import { ApiError, toApiError } from './errors.ts';
import { federate } from './federate.ts';
import { languageEndpoints } from './language-endpoints.ts';
import { mountLifecycle, sendUnready } from './lifecycle.ts';
import { type ApiLimits, DEFAULT_API_LIMITS } from './limits.ts';
import { readParams } from './params.ts';
import { queryEndpoints } from './query-endpoints.ts';
import { observedEndpoint } from './observed-endpoint.ts';
import type { QueryOrigin } from './query-observer.ts';
import { sendAnswer, sendError } from './respond.ts';
import { rulesEndpoints } from './rules.ts';
import { earlyEndpoints, statusEndpoints } from './status.ts';
import { targetEndpoints } from './targets.ts';
import { createTurns } from './turns.ts';

const API = '/api/v1';
/** Of all endpoints the one with a parameter in its path. */
const LABEL_VALUES = 'label/:name/values';
const LABEL_VALUES_PATH = /^\/api\/v1\/label\/([^/]+)\/values$/;

/**
 * The HTTP API v1 of Prometheus with `/federate`, `/-/…` and `/metrics`, as Koa middleware; the same for every program
 * that can give the parts in `deps`. Answers never throw: every error is said in the API's protocol.
 */
export function createApi(deps: ApiDeps): Middleware {
  const limits: ApiLimits = { ...DEFAULT_API_LIMITS, ...deps.limits };
  const turns = createTurns(limits, deps.clock);
  const router = new Router();
  /** By method and path: endpoints are found here, as the router tries one route after the other. */
  const handlers = new Map<string, (ctx: Context, name: string) => Promise<void>>();
  const mount = (endpoints: Endpoints, methods: readonly string[], early = false): void => {
    for (const [path, own] of Object.entries(endpoints)) {
      const answering = deps.endpoints?.[path] ?? own;
      const endpoint = observedEndpoint(path, answering, deps.queryObserver, limits, deps.clock);
      // The name is part of the path, so that values are not asked for by a form.
      const taken = path === LABEL_VALUES ? ['GET'] : [...methods];
      const handle = async (ctx: Context, name: string): Promise<void> => {
        if (early || deps.ready()) await serve(ctx, name, deps, limits, endpoint);
        else sendUnready(ctx);
      };
      for (const method of taken) handlers.set(`${method} ${API}/${path}`, handle);
      router.register(`${API}/${path}`, taken, (ctx: Context) => handle(ctx, ctx.params?.['name'] ?? ''));
    }
  };
  mount(queryEndpoints(deps, limits, turns), ['GET', 'POST']);
  mount(languageEndpoints(deps), ['GET', 'POST']);
  mount(targetEndpoints(deps), ['GET']);
  mount(rulesEndpoints(), ['GET']);
  mount(statusEndpoints(deps), ['GET']);
  mount(earlyEndpoints(deps), ['GET'], true);
  mount(adminEndpoints(deps), ['POST', 'PUT']);
  for (const path of ['read', 'write']) router.post(`${API}/${path}`, async (ctx) => serveRemote(ctx, deps, path));
  mountLifecycle(router, deps);
  router.get('/federate', async (ctx) => (deps.ready() ? federate(ctx, deps, turns) : sendUnready(ctx)));
  router.get('/version', (ctx) => {
    ctx.body = `${JSON.stringify(deps.build)}\n`;
  });
  router.get('/', (ctx) => {
    ctx.body = `Promlet ${deps.build.version}: the Prometheus HTTP API is at ${API}\n`;
  });
  const { metricsText } = deps;
  if (metricsText !== undefined) {
    router.get('/metrics', async (ctx) => {
      ctx.type = 'text/plain; version=0.0.4; charset=utf-8';
      ctx.body = await metricsText();
    });
  }

  const routes = router.routes() as unknown as Middleware;
  const methods = router.allowedMethods() as unknown as Middleware;
  const setCors = corsHeaders(deps.corsOrigin ?? '.*');
  return async (ctx, next) => {
    const { method, path } = ctx;
    ctx.res.setHeader('X-Content-Type-Options', 'nosniff');
    const isApi = path.startsWith(`${API}/`);
    if (isApi) setCors(ctx);
    if (isApi && method === 'OPTIONS') {
      ctx.status = 204;
      return;
    }
    const name = LABEL_VALUES_PATH.exec(path)?.[1];
    const handle = handlers.get(`${method} ${name === undefined ? path : `${API}/${LABEL_VALUES}`}`);
    if (handle !== undefined) {
      await handle(ctx, name === undefined ? '' : decoded(name));
      return;
    }
    await routes(ctx, async () => methods(ctx, next));
    if (isApi && ctx.respond !== false && ctx.status === 404 && ctx.body === undefined) {
      sendError(ctx, new ApiError('not_found', `no such endpoint: ${path}`));
    }
  };
}

/** A part of a path; as it is when it is no text so written. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

async function serve(ctx: Context, name: string, deps: ApiDeps, limits: ApiLimits, endpoint: Endpoint): Promise<void> {
  const signal = clientGone(ctx.res);
  const memory = deps.memory?.open();
  try {
    const query = new URLSearchParams(ctx.querystring);
    const params = await readParams(ctx.req, query, limits.bodyBytes);
    const request = { params, name, signal, origin: originOf(ctx) };
    const answer = await endpoint({ ...request, ...(memory && { budget: memory.budget }) });
    await sendAnswer(ctx, answer, limits.stallTimeoutMs);
  } catch (error) {
    const shown = toApiError(error, signal);
    if (shown.errorType === 'internal') {
      deps.log.error({ path: ctx.path, error }, 'request failed because of a bug');
    }
    // Half of the answer is out: the connection is broken off already.
    if (ctx.res.headersSent) return;
    // What is left of an unread body must not be taken for the next request.
    if (!ctx.req.complete) ctx.set('Connection', 'close');
    sendError(ctx, shown);
  } finally {
    memory?.close();
  }
}

function originOf({ req, method, path }: Context): QueryOrigin {
  const clientIP = (req.socket.remoteAddress ?? '').replace(/^::ffff:/, '');
  return { clientIP, method, path };
}

async function serveRemote(ctx: Context, deps: ApiDeps, path: string): Promise<void> {
  if (!deps.ready()) {
    sendUnready(ctx);
    return;
  }
  const handlers = deps.remote?.() ?? [];
  const next = async (index: number): Promise<void> => {
    if (index < handlers.length) return handlers[index]!(ctx, () => next(index + 1));
    ctx.status = 404;
    ctx.set('Content-Type', 'text/plain; charset=utf-8');
    ctx.body =
      path === 'write'
        ? 'remote write receiver needs to be enabled with --web.enable-remote-write-receiver\n'
        : 'not found\n';
  };
  await next(0);
}
