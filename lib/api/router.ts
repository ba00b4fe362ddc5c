import { Router } from '@koa/router';
import type { Context, Middleware } from 'koa';
import { compileRegex, errorMessage } from '../model/index.ts';
import type { ApiDeps } from './deps.ts';
import { ApiError, toApiError } from './errors.ts';
import { type ApiLimits, DEFAULT_API_LIMITS } from './limits.ts';
import { readParams } from './params.ts';
import { type Endpoint, queryEndpoints } from './queries.ts';
import { sendAnswer, sendError } from './respond.ts';
import { statusEndpoints } from './status.ts';

const API = '/api/v1';

/**
 * The HTTP API v1 of Prometheus with `/-/healthy`, `/-/ready`, `/-/reload` and `/metrics`, as Koa middleware; the same for
 * every program that can give the parts in `deps`. Answers never throw: every error is said in the API's protocol.
 */
export function createApi(deps: ApiDeps): Middleware {
  const limits: ApiLimits = { ...DEFAULT_API_LIMITS, ...deps.limits };
  const router = new Router();
  const mount = (path: string, methods: string[], endpoint: Endpoint) =>
    router.register(`${API}/${path}`, methods, async (ctx: Context & { params: Record<string, string> }) =>
      serve(ctx, deps, limits, endpoint),
    );

  for (const [path, endpoint] of Object.entries(queryEndpoints(deps, limits))) {
    mount(path, path.includes(':') ? ['GET'] : ['GET', 'POST'], endpoint);
  }
  for (const [path, endpoint] of Object.entries(statusEndpoints(deps))) mount(path, ['GET'], endpoint);
  mountLifecycle(router, deps);

  const routes = router.routes() as unknown as Middleware;
  const methods = router.allowedMethods() as unknown as Middleware;
  const setCors = cors(deps.corsOrigin ?? '.*');
  return async (ctx, next) => {
    ctx.set('X-Content-Type-Options', 'nosniff');
    const isApi = ctx.path.startsWith(`${API}/`);
    if (isApi) setCors(ctx);
    if (isApi && ctx.method === 'OPTIONS') {
      ctx.status = 204;
      return;
    }
    await routes(ctx, async () => methods(ctx, next));
    if (isApi && ctx.status === 404 && ctx.body === undefined) {
      sendError(ctx, new ApiError('not_found', `no such endpoint: ${ctx.path}`));
    }
  };
}

async function serve(
  ctx: Context & { params: Record<string, string> },
  deps: ApiDeps,
  limits: ApiLimits,
  endpoint: Endpoint,
): Promise<void> {
  if (!deps.ready()) {
    sendUnready(ctx);
    return;
  }
  const controller = new AbortController();
  ctx.res.once('close', () => controller.abort());
  const { signal } = controller;
  try {
    const query = new URLSearchParams(ctx.querystring);
    const params = await readParams(ctx.req, query, limits.bodyBytes);
    await sendAnswer(ctx, await endpoint({ params, name: ctx.params['name'] ?? '', signal }));
  } catch (error) {
    const shown = toApiError(error, signal);
    // What is left of an unread body must not be taken for the next request.
    if (!ctx.req.complete) ctx.set('Connection', 'close');
    if (shown.errorType === 'internal') {
      deps.log.error({ path: ctx.path, error }, 'request failed because of a bug');
    }
    sendError(ctx, shown);
  }
}

function sendUnready(ctx: Context): void {
  ctx.status = 503;
  ctx.set('X-Prometheus-Stopping', 'false');
  ctx.body = 'Service Unavailable';
}

function mountLifecycle(router: Router, deps: ApiDeps): void {
  router.get('/', (ctx) => {
    ctx.body = `Promlet ${deps.build.version}: the Prometheus HTTP API is at ${API}\n`;
  });
  router.get('/-/healthy', (ctx) => {
    ctx.body = 'Promlet is Healthy.\n';
  });
  router.get('/-/ready', (ctx) => {
    if (deps.ready()) ctx.body = 'Promlet is Ready.\n';
    else sendUnready(ctx);
  });
  router.get('/-/reload', (ctx) => {
    ctx.status = 405;
    ctx.body = 'Only POST or PUT requests allowed';
  });
  router.register('/-/reload', ['POST', 'PUT'], async (ctx: Context) => {
    if (!deps.lifecycle || deps.reload === undefined) {
      ctx.status = 403;
      ctx.body = 'Lifecycle API is not enabled.';
      return;
    }
    try {
      await deps.reload();
      ctx.status = 200;
      ctx.body = '';
    } catch (error) {
      deps.log.error({ error }, 'reloading failed');
      ctx.status = 500;
      ctx.body = `failed to reload config: ${errorMessage(error)}\n`;
    }
  });
  const { metricsText } = deps;
  if (metricsText === undefined) return;
  router.get('/metrics', async (ctx) => {
    ctx.type = 'text/plain; version=0.0.4; charset=utf-8';
    ctx.body = await metricsText();
  });
}

/** Headers for pages of other origins, as Prometheus sets them (`util/httputil/cors.go`). */
function cors(originPattern: string): (ctx: Context) => void {
  const allowed = compileRegex(originPattern);
  return (ctx) => {
    ctx.vary('Origin');
    const origin = ctx.get('Origin');
    if (origin === '') return;
    ctx.set({
      'Access-Control-Allow-Headers': 'Accept, Authorization, Content-Type, Origin',
      'Access-Control-Allow-Methods': 'GET, POST, OPTIONS',
      'Access-Control-Expose-Headers': 'Date',
    });
    if (originPattern === '.*') ctx.set('Access-Control-Allow-Origin', '*');
    else if (allowed.matches(origin)) ctx.set('Access-Control-Allow-Origin', origin);
  };
}
