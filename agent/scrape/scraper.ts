import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { ScrapeConfig } from '../../lib/config/index.ts';
import type { Clock, FileSystem } from '../../lib/env/index.ts';
import type { Kernels } from '../../lib/kernels/index.ts';
import { errorMessage, PromletError } from '../../lib/model/index.ts';
import { acceptHeader, checkContentType } from './content-type.ts';
import { type Connect, type ConnectionContext, FIRST_READ_BYTES, HttpConnection } from './http-connection.ts';
import { isRedirect, type Received } from './http-message.ts';
import { PageBuffer } from './page-buffer.ts';
import type { Target } from './target.ts';

export interface ScraperContext extends ConnectionContext {
  readonly files: FileSystem;
  /** `Promlet/1.2.3`. */
  readonly userAgent: string;
  readonly bodyLimitBytes: number;
  /** True for targets that no network lies before: they are asked not to compress. */
  readonly isLocal: (target: Target) => boolean;
}

export function connectionContext(kernels: Kernels, clock: Clock, connect: Connect): ConnectionContext {
  return { kernels, clock, connect, firstRead: kernels.arena.allocate(FIRST_READ_BYTES) };
}

/** Fetches the page of one target. */
export class Scraper {
  readonly #context: ScraperContext;
  readonly #target: Target;
  readonly #config: ScrapeConfig;
  readonly #connection: HttpConnection;
  /** The plain request while it stays the same; undefined until it was needed. */
  #fixedRequest: string | undefined;

  constructor(context: ScraperContext, target: Target, config: ScrapeConfig) {
    this.#context = context;
    this.#target = target;
    this.#config = config;
    const { hostname, port } = target.url;
    this.#connection = new HttpConnection(context, hostname.replace(/^\[|\]$/g, ''), Number(port || 80));
  }

  /**
   * @returns the sealed page; the caller releases it
   * @throws PromletError `scrape/…` in the words of Prometheus
   */
  async scrape(): Promise<PageBuffer> {
    const limitBytes = this.#config.body_size_limit || this.#context.bodyLimitBytes;
    const { url } = this.#target;
    let received: Received;
    if (this.#isPlain()) {
      received = await this.#scrapePlain(limitBytes);
      if (this.#config.follow_redirects && isRedirect(received)) {
        received.page.release();
        received = await this.#scrapeSecure(limitBytes);
      }
    } else {
      received = await this.#scrapeSecure(limitBytes);
    }
    if (received.status !== 200) {
      received.page.release();
      throw new PromletError('scrape/status', `server returned HTTP status ${received.statusText}`);
    }
    let page = received.page;
    try {
      page = await decompress(this.#context, received, limitBytes);
      if (page.length > 0) checkContentType(received.contentType, this.#config.fallback_scrape_protocol);
      page.seal();
      return page;
    } catch (error) {
      page.release();
      throw error instanceof PromletError
        ? error
        : new PromletError('scrape/http', `Get "${url.href}": ${errorMessage(error)}`, { cause: error });
    }
  }

  close(): void {
    this.#connection.close();
  }

  #isPlain(): boolean {
    return this.#target.url.protocol === 'http:' && !this.#config.proxy_url && !this.#config.proxy_from_environment;
  }

  async #scrapePlain(limitBytes: number): Promise<Received> {
    const { url, timeoutMs } = this.#target;
    const request = this.#plainRequest();
    try {
      const { head, page } = await this.#connection.get(request, timeoutMs, limitBytes);
      return {
        status: head.status,
        statusText: head.statusText,
        contentType: head.headers.get('content-type'),
        encoding: head.headers.get('content-encoding'),
        page,
      };
    } catch (error) {
      throw withUrl(error, url);
    }
  }

  async #scrapeSecure(limitBytes: number): Promise<Received> {
    const { url, timeoutMs } = this.#target;
    const headers = this.#headers();
    const { requestThroughUndici } = await import('./undici-client.ts');
    const page = new PageBuffer(this.#context.kernels.arena, limitBytes);
    try {
      const { clock, files } = this.#context;
      return await requestThroughUndici({ url, headers, timeoutMs, config: this.#config, clock, files, page });
    } catch (error) {
      page.release();
      throw withUrl(error, url);
    }
  }

  /** Made once where no secret is read from a file: it was a tenth of a scrape's CPU. */
  #plainRequest(): string {
    if (this.#fixedRequest !== undefined) return this.#fixedRequest;
    const { url } = this.#target;
    let request = `GET ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\n`;
    for (const [name, value] of this.#headers()) request += `${name}: ${value}\r\n`;
    request += '\r\n';
    if (!this.#readsFiles()) this.#fixedRequest = request;
    return request;
  }

  /** A file is read for each scrape, so that a rotated secret is used at once. */
  #readsFiles(): boolean {
    const { basic_auth: basic, authorization } = this.#config;
    return (basic?.username_file ?? basic?.password_file ?? authorization?.credentials_file) !== undefined;
  }

  #headers(): Map<string, string> {
    const { userAgent, isLocal } = this.#context;
    const config = this.#config;
    const compress = config.enable_compression && !isLocal(this.#target);
    const headers = new Map([
      ['User-Agent', userAgent],
      ['Accept', acceptHeader(config.scrape_protocols, config.metric_name_escaping_scheme)],
      ['Accept-Encoding', compress ? 'gzip' : 'identity'],
      ['X-Prometheus-Scrape-Timeout-Seconds', String(this.#target.timeoutMs / 1000)],
    ]);
    for (const [name, { values, secrets }] of Object.entries(config.http_headers ?? {})) {
      headers.set(name, [...(values ?? []), ...(secrets ?? [])].join(', '));
    }
    const authorization = this.#authorization();
    if (authorization !== undefined) headers.set('Authorization', authorization);
    for (const [name, value] of headers) {
      if (/[\r\n\0]/.test(name + value)) {
        throw new PromletError('scrape/bad-header', `header ${JSON.stringify(name)} holds a line break`);
      }
    }
    return headers;
  }

  #authorization(): string | undefined {
    const { basic_auth: basic, authorization, oauth2 } = this.#config;
    if (oauth2 !== undefined) throw new PromletError('scrape/unsupported', 'oauth2 is not supported by this version');
    if (basic !== undefined) {
      const user = basic.username ?? this.#secret(basic.username_file);
      const password = basic.password ?? this.#secret(basic.password_file);
      return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
    }
    if (authorization === undefined) return undefined;
    const credentials = authorization.credentials ?? this.#secret(authorization.credentials_file);
    return `${authorization.type ?? 'Bearer'} ${credentials}`;
  }

  #secret(path: string | undefined): string {
    if (path === undefined) return '';
    try {
      return this.#context.files.readFileSync(path, 'utf8').trim();
    } catch (cause) {
      throw new PromletError('scrape/secret', `unable to read file ${path}: ${errorMessage(cause)}`, { cause });
    }
  }
}

/** Errors of the transfer name the URL as Go does; those that stand for themselves stay as they are. */
function withUrl(error: unknown, url: URL): unknown {
  if (!(error instanceof PromletError) || error.code === 'scrape/body-size-limit') return error;
  return new PromletError(error.code, `Get "${url.href}": ${error.message}`, { cause: error });
}

const gunzipAsync = promisify<Buffer, { maxOutputLength: number }, Buffer>(gunzip);

/** @returns the page itself when it is not compressed, else a new one (the old one is released) */
async function decompress(context: ScraperContext, received: Received, limitBytes: number): Promise<PageBuffer> {
  const { encoding, page } = received;
  if (encoding === undefined || encoding === '' || encoding === 'identity') return page;
  if (encoding !== 'gzip') throw new PromletError('scrape/http', `unsupported Content-Encoding "${encoding}"`);
  let plain: Buffer;
  try {
    const maxOutputLength = limitBytes > 0 ? limitBytes : Number.MAX_SAFE_INTEGER;
    plain = await gunzipAsync(Buffer.from(page.bytes()), { maxOutputLength });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw new PromletError('scrape/body-size-limit', 'body size limit exceeded', { cause });
    }
    throw new PromletError('scrape/gzip', `gzip: ${errorMessage(cause)}`, { cause });
  }
  const unpacked = new PageBuffer(context.kernels.arena, limitBytes);
  unpacked.append(plain);
  page.release();
  return unpacked;
}
