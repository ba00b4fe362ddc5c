/** TLS, proxies and redirects, through undici. Loaded when a target first needs it: it costs an idle agent memory. */
import { Agent, type Dispatcher, ProxyAgent, request } from 'undici';
import type { ScrapeConfig, TlsConfig } from '../../lib/config/index.ts';
import type { Clock, FileSystem } from '../../lib/env/index.ts';
import { errorMessage, PromletError } from '../../lib/model/index.ts';
import { isRedirect, type Received } from './http-message.ts';
import { MAX_HEADER_BYTES, MAX_REDIRECTS } from './limits.ts';
import type { PageBuffer } from './page-buffer.ts';

export interface UndiciRequest {
  readonly url: URL;
  readonly headers: ReadonlyMap<string, string>;
  readonly timeoutMs: number;
  readonly config: ScrapeConfig;
  readonly clock: Clock;
  readonly files: FileSystem;
  /** Takes the body. */
  readonly page: PageBuffer;
}

/** Of a body that nobody wants; a longer one costs its connection. */
const MAX_DUMPED_BYTES = 16 * 1024;

/** One per job, so that targets share sessions; gone with the job's configuration. */
const dispatchers = new WeakMap<ScrapeConfig, Dispatcher>();

/** @throws PromletError `scrape/…` */
export async function requestThroughUndici(options: UndiciRequest): Promise<Received> {
  const { clock, timeoutMs } = options;
  const abort = new AbortController();
  const timer = clock.setTimer(() => abort.abort(), timeoutMs);
  try {
    return await follow(options, abort.signal);
  } catch (error) {
    if (abort.signal.aborted) throw new PromletError('scrape/timeout', 'context deadline exceeded', { cause: error });
    if (error instanceof PromletError) throw error;
    throw new PromletError('scrape/http', errorMessage(error), { cause: error });
  } finally {
    timer.cancel();
  }
}

async function follow(options: UndiciRequest, signal: AbortSignal): Promise<Received> {
  const { config, files, page } = options;
  let dispatcher = dispatchers.get(config);
  if (dispatcher === undefined) dispatchers.set(config, (dispatcher = createDispatcher(config, files)));
  const headers = new Map(options.headers);
  let { url } = options;
  for (let redirects = 0; ; redirects++) {
    const answer = await request(url, { dispatcher, signal, headers: Object.fromEntries(headers) });
    const location = answer.headers['location'];
    if (config.follow_redirects && isRedirect({ status: answer.statusCode }) && typeof location === 'string') {
      await answer.body.dump({ limit: MAX_DUMPED_BYTES, signal });
      if (redirects === MAX_REDIRECTS - 1) {
        throw new PromletError('scrape/redirect', `stopped after ${MAX_REDIRECTS} redirects`);
      }
      const next = redirectTarget(location, url);
      // Credentials belong to the host they were given for.
      if (next.host !== url.host || next.protocol !== url.protocol) {
        headers.delete('Authorization');
        for (const name of Object.keys(config.http_headers ?? {})) headers.delete(name);
      }
      url = next;
      continue;
    }
    if (answer.statusCode === 200) {
      for await (const chunk of answer.body) page.append(chunk as Uint8Array);
    } else {
      await answer.body.dump({ limit: MAX_DUMPED_BYTES, signal });
    }
    return {
      status: answer.statusCode,
      statusText: `${answer.statusCode} ${answer.statusText}`.trim(),
      contentType: single(answer.headers['content-type']),
      encoding: single(answer.headers['content-encoding']),
      page,
    };
  }
}

function redirectTarget(location: string, from: URL): URL {
  const next = URL.canParse(location, from.href) ? new URL(location, from.href) : undefined;
  if (next === undefined || (next.protocol !== 'http:' && next.protocol !== 'https:')) {
    throw new PromletError('scrape/redirect', `redirect to "${location}" is not followed`);
  }
  if (from.protocol === 'https:' && next.protocol === 'http:') {
    throw new PromletError('scrape/redirect', `redirect from https to "${location}" is not followed`);
  }
  return next;
}

function createDispatcher(config: ScrapeConfig, files: FileSystem): Dispatcher {
  const tls = tlsOptions(config.tls_config ?? {}, files);
  const shared = { maxHeaderSize: MAX_HEADER_BYTES, allowH2: false };
  if (config.proxy_url) return new ProxyAgent({ ...shared, uri: config.proxy_url, requestTls: tls });
  return new Agent({ ...shared, connect: tls });
}

function tlsOptions(tls: TlsConfig, files: FileSystem): Record<string, string | boolean> {
  const options: Record<string, string | boolean> = { rejectUnauthorized: tls.insecure_skip_verify !== true };
  const add = (name: string, inline: string | undefined, path: string | undefined): void => {
    const text = inline ?? (path === undefined ? undefined : files.readFileSync(path, 'utf8'));
    if (text !== undefined) options[name] = text;
  };
  add('ca', tls.ca, tls.ca_file);
  add('cert', tls.cert, tls.cert_file);
  add('key', tls.key, tls.key_file);
  add('servername', tls.server_name, undefined);
  add('minVersion', tls.min_version?.replace(/^TLS1(\d)$/, 'TLSv1.$1'), undefined);
  add('maxVersion', tls.max_version?.replace(/^TLS1(\d)$/, 'TLSv1.$1'), undefined);
  return options;
}

function single(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : value?.at(-1);
}
