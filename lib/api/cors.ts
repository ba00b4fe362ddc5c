import type { Context } from 'koa';
import { compileRegex } from '../model/index.ts';

/** Headers for pages of other origins, as Prometheus sets them (`util/httputil/cors.go`). @param originPattern anchored */
export function corsHeaders(originPattern: string): (ctx: Context) => void {
  const allowed = compileRegex(originPattern);
  return (ctx) => {
    ctx.res.appendHeader('Vary', 'Origin');
    const { origin } = ctx.req.headers;
    if (!origin) return;
    ctx.set({
      'Access-Control-Allow-Headers': 'Accept, Authorization, Content-Type, Origin',
      'Access-Control-Allow-Methods': 'GET, POST, OPTIONS',
      'Access-Control-Expose-Headers': 'Date',
    });
    if (allowed.matches(origin)) ctx.set('Access-Control-Allow-Origin', origin);
  };
}
