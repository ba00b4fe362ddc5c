/**
 * Targets for ingest benchmarks: one process that serves `/target/I/metrics` for any I, each a page of `--series` series
 * with values that change at every scrape. `/served` says how many pages went out. After `/hold` pages are no longer
 * answered. `/arrivals` tells when each target was asked, in ms since the epoch. Prints `listening PORT`.
 */
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';

const { values: flags } = parseArgs({ options: { series: { type: 'string', default: '1000' } } });
const SERIES = Number(flags.series);

/** Lines of about 146 bytes, as instrumented services expose them: many label sets under few names. */
const HEADS = Array.from({ length: SERIES }, (_, i) => {
  const handler = `/api/v1/resource-${i % 20}`;
  const method = ['GET', 'POST', 'PUT', 'DELETE'][i % 4]!;
  const labels = `code="${i % 7 === 0 ? 500 : 200}",handler="${handler}",method="${method}",shard="${i}",version="2026.11.1"`;
  return `http_server_requests_total_${i % 10}{${labels},zone="eu-central-1"} `;
});

let scrapes = 0;
let holding = false;
/** By path. */
const arrivals: Record<string, number[]> = {};

/** Counters that grow at different speeds, some gauges with fractions, some that stand still. */
function page(): string {
  scrapes++;
  let out = '# HELP http_server_requests_total_0 Requests served.\n# TYPE http_server_requests_total_0 counter\n';
  for (let i = 0; i < SERIES; i++) {
    const value = i % 5 === 0 ? i : i % 5 === 1 ? Math.sin(scrapes + i) * 100 : scrapes * ((i % 50) + 1);
    out += `${HEADS[i]!}${value}\n`;
  }
  return out;
}

const server = createServer((request, response) => {
  if (request.url === '/served') {
    response.end(String(scrapes));
    return;
  }
  if (request.url === '/hold') {
    holding = true;
    response.end();
    return;
  }
  if (request.url === '/arrivals') {
    response.end(JSON.stringify(arrivals));
    return;
  }
  (arrivals[request.url!] ??= []).push(performance.timeOrigin + performance.now());
  if (holding) return;
  response.setHeader('content-type', 'text/plain; version=0.0.4; charset=utf-8');
  response.end(page());
});
// Longer than any pause between scrapes: a request on its way to a connection that is being closed would be lost.
server.keepAliveTimeout = 300_000;
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.stdout.write(`listening ${typeof address === 'object' && address !== null ? address.port : ''}\n`);
});
