import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Scraper } from '../../../agent/scrape/scraper.ts';
import { targetsFromGroups } from '../../../agent/scrape/target.ts';
import type { ScrapeConfig, TlsConfig } from '../../../lib/config/index.ts';
import { createKernels } from '../../../lib/kernels/index.ts';
import { closeServers, scrapeConfig, scraperContext, serveTls, targetGroup } from './fixtures.ts';

const path = (name: string): string => fileURLToPath(new URL(`tls/${name}`, import.meta.url));
const cert = readFileSync(path('cert.pem'), 'utf8');
const key = readFileSync(path('key.pem'), 'utf8');

describe('scraping over TLS', () => {
  const kernels = createKernels();
  const context = scraperContext(kernels);
  let scraper: Scraper;

  /** @returns the page, or why there is none */
  async function scrape(tls: TlsConfig, change: Partial<ScrapeConfig> = {}): Promise<string> {
    const address = await serveTls({ cert, key }, (request, response) => {
      const authorized = request.headers.authorization === 'Bearer secret';
      response.setHeader('Content-Type', 'text/plain; version=0.0.4').end(`authorized ${authorized ? 1 : 0}\n`);
    });
    const config = scrapeConfig({
      scheme: 'https',
      scrape_timeout: 60_000,
      scrape_interval: 60_000,
      tls_config: tls,
      ...change,
    });
    const [target] = targetsFromGroups(config, [targetGroup([address])]).targets;
    assert.equal(target!.url.protocol, 'https:');
    scraper = new Scraper(context, target!, config);
    try {
      const page = await scraper.scrape();
      const text = Buffer.from(page.bytes()).toString();
      page.release();
      return text.trim();
    } catch (error) {
      return (error as Error).message;
    }
  }

  afterEach(async () => {
    scraper.close();
    await closeServers();
  });

  it('refuses a certificate that nobody vouches for', async () => {
    assert.match(await scrape({}), /self.signed certificate/);
  });

  it('takes any certificate with insecure_skip_verify', async () => {
    assert.equal(await scrape({ insecure_skip_verify: true }), 'authorized 0');
  });

  it('takes a certificate of the given authority, inline or from a file', async () => {
    assert.equal(await scrape({ ca: cert }), 'authorized 0');
    scraper.close();
    assert.equal(await scrape({ ca_file: path('cert.pem') }), 'authorized 0');
  });

  it('compares the name in the certificate with server_name', async () => {
    assert.equal(await scrape({ ca: cert, server_name: 'localhost' }), 'authorized 0');
    scraper.close();
    assert.match(await scrape({ ca: cert, server_name: 'example.org' }), /altnames|Hostname/);
  });

  it('names a file that cannot be read', async () => {
    assert.match(await scrape({ ca_file: path('absent.pem') }), /absent\.pem/);
  });

  it('sends credentials through TLS too', async () => {
    const authorization = { type: 'Bearer', credentials: 'secret' };
    assert.equal(await scrape({ ca: cert }, { authorization }), 'authorized 1');
  });

  it('does not speak a version below min_version', async () => {
    assert.match(await scrape({ ca: cert, min_version: 'TLS13', max_version: 'TLS12' }), /version|TLS|SSL/i);
  });
});
