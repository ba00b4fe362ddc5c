import type { Router } from '@koa/router';
import type { Context } from 'koa';
import { errorMessage } from '../model/index.ts';
import type { ApiDeps } from './deps.ts';

/** `/-/healthy`, `/-/ready`, `/-/reload` and `/-/quit`, in Prometheus's words. */
export function mountLifecycle(router: Router, deps: ApiDeps): void {
  router.get('/-/healthy', (ctx) => {
    ctx.body = 'Promlet is Healthy.\n';
  });
  router.get('/-/ready', (ctx) => {
    if (deps.ready()) ctx.body = 'Promlet is Ready.\n';
    else sendUnready(ctx);
  });
  for (const path of ['/-/reload', '/-/quit']) {
    router.get(path, (ctx) => {
      ctx.status = 405;
      ctx.body = 'Only POST or PUT requests allowed';
    });
  }
  const command = (path: string, isServed: boolean, run: (ctx: Context) => Promise<void>): void => {
    router.register(path, ['POST', 'PUT'], async (ctx: Context) => {
      if (deps.lifecycle && isServed) return run(ctx);
      ctx.status = 403;
      ctx.body = 'Lifecycle API is not enabled.';
    });
  };

  command('/-/reload', deps.reload !== undefined, async (ctx) => {
    try {
      await deps.reload!();
      ctx.status = 200;
      ctx.body = '';
    } catch (error) {
      deps.log.error({ error }, 'reloading failed');
      ctx.status = 500;
      ctx.body = `failed to reload config: ${errorMessage(error)}\n`;
    }
  });

  let isEnding = false;
  command('/-/quit', deps.quit !== undefined, async (ctx) => {
    ctx.body = isEnding ? 'Termination already in progress.' : 'Requesting termination... Goodbye!';
    if (isEnding) return;
    isEnding = true;
    deps.log.info({}, 'asked to stop over HTTP');
    // The answer goes out first.
    ctx.res.once('close', () => deps.quit!());
  });
}

/** While starting and stopping. */
export function sendUnready(ctx: Context): void {
  ctx.status = 503;
  ctx.set('X-Prometheus-Stopping', 'false');
  ctx.body = 'Service Unavailable';
}
