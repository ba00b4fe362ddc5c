import assert from 'node:assert/strict';
import type { IncomingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { Scraper } from '../../../agent/scrape/scraper.ts';
import { targetsFromGroups } from '../../../agent/scrape/target.ts';
import type { ScrapeConfig } from '../../../lib/config/index.ts';
import { createKernels } from '../../../lib/kernels/index.ts';
import { closeServers, scrapeConfig, scraperContext, serve, serveRaw, targetGroup } from './fixtures.ts';

const PAGE = 'a{b="c"} 1\n'.repeat(20_000);
const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n';

describe('scrape client', () => {
  const kernels = createKernels();
  const context = scraperContext(kernels);
  let scrapers: Scraper[] = [];

  function scraper(address: string, change: Partial<ScrapeConfig> = {}): Scraper {
    const config = scrapeConfig({ scrape_timeout: 60_000, scrape_interval: 60_000, ...change });
    const [target] = targetsFromGroups(config, [targetGroup([address])]).targets;
    const made = new Scraper(context, target!, config);
    scrapers.push(made);
    return made;
  }

  async function body(from: Scraper): Promise<string> {
    const page = await from.scrape();
    const text = Buffer.from(page.bytes()).toString();
    page.release();
    return text;
  }

  async function errorOf(from: Scraper): Promise<string> {
    return from.scrape().then(
      () => '',
      (error: Error) => error.message,
    );
  }

  /** Answers each connection's first request with these bytes. */
  const raw = (answer: (socket: Socket) => void): Promise<string> =>
    serveRaw((socket) => socket.once('data', () => answer(socket)));

  afterEach(async () => {
    for (const made of scrapers) made.close();
    scrapers = [];
    await closeServers();
  });

  it('asks as Prometheus does, on one kept connection', async () => {
    const seen: [IncomingHttpHeaders, number | undefined][] = [];
    const address = await serve((request, response) => {
      seen.push([request.headers, request.socket.remotePort]);
      response.setHeader('Content-Type', 'text/plain').end(PAGE);
    });
    const made = scraper(address, { authorization: { credentials: 'secret' } });
    assert.equal(await body(made), `${PAGE}\n`);
    assert.equal(await body(made), `${PAGE}\n`);
    const [headers] = seen[0]!;
    assert.equal(seen[1]![1], seen[0]![1]);
    assert.equal(headers.host, address);
    assert.equal(headers['user-agent'], 'Promlet/1.2.3');
    assert.equal(headers['x-prometheus-scrape-timeout-seconds'], '60');
    assert.equal(headers['accept-encoding'], 'identity');
    assert.equal(headers.authorization, 'Bearer secret');
    assert.equal(
      headers.accept,
      'text/plain;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.4',
    );
  });

  it('reads chunked bodies however they are cut', async () => {
    const text = 'metric_name{label="value"} 12345\n'.repeat(9000);
    let wire = `${HEAD}Transfer-Encoding: chunked\r\n\r\n`;
    for (let at = 0, size = 1; at < text.length; at += size, size = (size * 7) % 4093) {
      const chunk = text.slice(at, at + size);
      wire += `${chunk.length.toString(16)};ext=1\r\n${chunk}\r\n`;
    }
    wire += '0\r\nTrailer: x\r\n\r\n';
    for (const cut of [7, 1000, 65_536, wire.length]) {
      const address = await raw((socket) => {
        void (async () => {
          const first = Math.min(cut * 50, wire.length);
          for (let at = 0; at < first; at += cut) {
            socket.write(wire.slice(at, at + cut));
            await new Promise(setImmediate);
          }
          socket.write(wire.slice(Math.ceil(first / cut) * cut));
        })();
      });
      assert.equal(await body(scraper(address)), `${text}\n`);
    }
  });

  it('reads to the end of the connection where no length is given', async () => {
    const address = await raw((socket) => socket.end(`HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\n${PAGE}`));
    assert.equal(await body(scraper(address)), `${PAGE}\n`);
  });

  it('unpacks gzip', async () => {
    const address = await serve((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Encoding': 'gzip' }).end(gzipSync(PAGE));
    });
    assert.equal(await body(scraper(address)), `${PAGE}\n`);
  });

  it('replaces a kept connection that was closed meanwhile', async () => {
    let connections = 0;
    const address = await serveRaw((socket) => {
      connections++;
      socket.once('data', () => {
        socket.write(`${HEAD}Content-Length: 4\r\n\r\na 1\n`);
        socket.once('data', () => socket.destroy());
      });
    });
    const made = scraper(address);
    assert.equal(await body(made), 'a 1\n\n');
    assert.equal(await body(made), 'a 1\n\n');
    assert.equal(connections, 2);
  });

  it('follows redirects, and drops credentials towards another host', async () => {
    let authorization: string | undefined = 'not asked';
    const other = await serve((request, response) => {
      authorization = request.headers.authorization;
      response.setHeader('Content-Type', 'text/plain').end('a 1\n');
    });
    const address = await serve((_request, response) => {
      response.writeHead(302, { Location: `http://${other}/elsewhere` }).end();
    });
    const credentials = { authorization: { credentials: 'secret' } };
    assert.equal(await body(scraper(address, credentials)), 'a 1\n\n');
    assert.equal(authorization, undefined);
    assert.equal(await errorOf(scraper(address, { follow_redirects: false })), 'server returned HTTP status 302 Found');
  });

  const hostile: readonly (readonly [
    what: string,
    answer: (socket: Socket) => void,
    error: RegExp,
    change?: Partial<ScrapeConfig>,
  ])[] = [
    [
      'an endless body',
      (socket) => {
        socket.write(`${HEAD}\r\n`);
        const more = (): void => {
          while (!socket.destroyed && socket.write(PAGE)) continue;
        };
        socket.on('drain', more);
        more();
      },
      /^body size limit exceeded$/,
      { body_size_limit: 1_000_000 },
    ],
    [
      'endless chunks',
      (socket) => {
        socket.write(`${HEAD}Transfer-Encoding: chunked\r\n\r\n`);
        const more = (): void => {
          while (!socket.destroyed && socket.write(`1000\r\n${'x'.repeat(4096)}\r\n`)) continue;
        };
        socket.on('drain', more);
        more();
      },
      /^body size limit exceeded$/,
      { body_size_limit: 1_000_000 },
    ],
    [
      'a length above the limit',
      (socket) => socket.write(`${HEAD}Content-Length: 999999999\r\n\r\n`),
      /^body size limit exceeded$/,
    ],
    [
      'a gzip bomb',
      (socket) => {
        const bomb = gzipSync(Buffer.alloc(20 << 20));
        socket.write(`${HEAD}Content-Encoding: gzip\r\nContent-Length: ${bomb.length}\r\n\r\n`);
        socket.write(bomb);
      },
      /^body size limit exceeded$/,
    ],
    [
      'a slow drip',
      (socket) => {
        socket.write(HEAD);
        const timer = setInterval(() => socket.write('X: y\r\n'), 10);
        socket.on('close', () => clearInterval(timer));
      },
      /^Get "http:.*": context deadline exceeded$/,
      { scrape_timeout: 200 },
    ],
    [
      'headers, then silence',
      (socket) => socket.write(`${HEAD}Content-Length: 10\r\n\r\n`),
      /^Get "http:.*": context deadline exceeded$/,
      { scrape_timeout: 100 },
    ],
    ['silence', () => undefined, /^Get "http:.*": context deadline exceeded$/, { scrape_timeout: 100 }],
    [
      'endless headers',
      (socket) => {
        socket.write(HEAD);
        socket.write('X: y\r\n'.repeat(10_000));
      },
      /response headers exceeded 16384 bytes$/,
    ],
    ['a body cut short', (socket) => socket.end(`${HEAD}Content-Length: 10\r\n\r\na 1\n`), /: unexpected EOF$/],
    [
      'chunks cut short',
      (socket) => socket.end(`${HEAD}Transfer-Encoding: chunked\r\n\r\n5\r\na`),
      /: unexpected EOF$/,
    ],
    [
      'more than announced',
      (socket) => socket.write(`${HEAD}Content-Length: 4\r\n\r\na 1\nb 2\n`),
      /more bytes than Content-Length announced$/,
    ],
    ['a bad length', (socket) => socket.write(`${HEAD}Content-Length: -1\r\n\r\n`), /bad Content-Length "-1"$/],
    [
      'two lengths',
      (socket) => socket.write(`${HEAD}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`),
      /two different Content-Length headers$/,
    ],
    [
      'a bad chunk size',
      (socket) => socket.write(`${HEAD}Transfer-Encoding: chunked\r\n\r\n-5\r\n`),
      /malformed chunk size "-5"$/,
    ],
    ['no HTTP', (socket) => socket.write('SSH-2.0-OpenSSH\r\n\r\n'), /malformed HTTP response "SSH-2.0-OpenSSH"$/],
    ['nothing', (socket) => socket.end(), /^Get "http:.*": EOF$/],
    [
      'an unknown encoding',
      (socket) => socket.write(`${HEAD}Content-Encoding: br\r\nContent-Length: 4\r\n\r\na 1\n`),
      /^unsupported Content-Encoding "br"$/,
    ],
    [
      'another type',
      (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\na 1\n'),
      /^received unsupported Content-Type "text\/html" and no fallback_scrape_protocol specified for target$/,
    ],
    [
      'no type',
      (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\na 1\n'),
      /^non-compliant scrape target sending blank Content-Type/,
    ],
    [
      'an error',
      (socket) => socket.write('HTTP/1.1 500 Internal Server Error\r\n\r\n'),
      /^server returned HTTP status 500 Internal Server Error$/,
    ],
  ];
  for (const [what, answer, error, change] of hostile) {
    it(`refuses ${what}`, async () => {
      const before = kernels.arena.usedBytes;
      assert.match(await errorOf(scraper(await raw(answer), change)), error);
      assert.equal(kernels.arena.usedBytes, before, 'page memory was given back');
    });
  }

  it('refuses a redirect loop and another scheme', async () => {
    let location = '/metrics';
    const address = await serve((_request, response) => {
      response.writeHead(302, { Location: location }).end();
    });
    assert.match(await errorOf(scraper(address)), /stopped after 10 redirects$/);
    location = 'file:///etc/passwd';
    assert.match(await errorOf(scraper(address)), /redirect to "file:\/\/\/etc\/passwd" is not followed$/);
  });

  it('says in Go words that nobody listens', async () => {
    const address = await serveRaw(() => undefined);
    await closeServers();
    assert.equal(
      await errorOf(scraper(address)),
      `Get "http://${address}/metrics": dial tcp ${address}: connect: connection refused`,
    );
  });

  it('takes a page without a type when a fallback protocol is set', async () => {
    const address = await raw((socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\na 1\n'));
    assert.equal(await body(scraper(address, { fallback_scrape_protocol: 'PrometheusText0.0.4' })), 'a 1\n\n');
  });
});
