/** Targets with fixed pages, the odd ones too, and the configuration that scrapes all of them: each its own job. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';

const TEXT = 'text/plain; version=0.0.4; charset=utf-8';

type Respond = (request: IncomingMessage, response: ServerResponse) => void;

interface Page {
  /** What follows `job_name` and the static target in the job, as YAML flow entries. */
  readonly job?: string;
  readonly respond: Respond;
}

const text =
  (body: string | Buffer, headers: Record<string, string> = {}): Respond =>
  (_, response) => {
    response.writeHead(200, { 'content-type': TEXT, ...headers });
    response.end(body);
  };
const page = (body: string, job?: string): Page => ({ respond: text(body), ...(job === undefined ? {} : { job }) });
const status =
  (code: number, headers: Record<string, string> = {}): Respond =>
  (_, response) => {
    response.writeHead(code, headers);
    response.end('no\n');
  };
/** Shows what the scraper asked for, as a metric. */
const echo: Respond = (request, response) => {
  const value = JSON.stringify(`${request.method} ${request.url} ${request.headers.authorization ?? 'anonymous'}`);
  text(`asked{how=${value}} 1\n`)(request, response);
};

/** Of pages that no timeout is long enough for. */
const NEVER_DONE = 'scrape_timeout: 400ms';

const FEW = 'one{a="b"} 1\ntwo{a="c",b="d"} 2\nthree 3\n';

/** Job → page. */
export const PAGES: Readonly<Record<string, Page>> = {
  plain: page(
    '# HELP a_total Some.\n# TYPE a_total counter\na_total 1\na_total{x="1"} 2.5\n# comment\n\nspaced   3  \n',
  ),
  escapes: page('e{a="back\\\\slash",b="quote\\"d",c="new\\nline",d="other\\q"} 1\n'),
  utf8: page('u{städt="zürich",e="\u{1f600}"} 1\n{"quoted.name","label name"="x"} 2\n{"only.quoted"} 3\n'),
  numbers: page(
    'n{i="1"} NaN\nn{i="2"} +Inf\nn{i="3"} -Inf\nn{i="4"} 1e-320\nn{i="5"} 0x1p4\nn{i="6"} .5\nn{i="7"} 5.\nn{i="8"} inf\nn{i="9"} -0\nn{i="10"} 123456789012345678901\n',
  ),
  underscored: page('n 1_000\n'),
  overflow: page('n 1e400\n'),
  empty: page(''),
  comments: page('# nothing\n#\n# TYPE x\n# HELP\n# TYPE y gauge\n'),
  crlf: page('a 1\r\nb 2\r\n'),
  unterminated: page('a 1\nb 2'),
  duplicates: page('d{a="1"} 1\nd{a="1"} 2\nd{a="1"} 1\n'),
  reordered: page('d{a="1",b="2"} 1\nd{b="2",a="1"} 1\n'),
  duplicateLabels: page('d{a="1",a="2"} 1\n'),
  emptyLabel: page('d{a="",b="1"} 1\nd{b="1"} 1\n'),
  trailingComma: page('d{a="1",} 1\n'),
  prototype: page('__proto__ 1\nconstructor{__proto__="1",hasOwnProperty="2"} 2\n'),
  colons: page('a:b:c 1\n'),
  badName: page('fine 1\n0bad 2\n'),
  badValue: page('fine 1\nbad x\n'),
  badTimestamp: page('fine 1 12x\n'),
  badLabels: page('fine{a=1} 1\n'),
  badUtf8: { respond: text(Buffer.from('bad{a="\xff"} 1\n', 'latin1')) },
  noValue: page('fine 1\nnothing\n'),
  oldTimestamps: page('t{i="1"} 1 1000\nt{i="2"} 2 -5\n'),
  ignoredTimestamps: page('t{i="1"} 1 1000\nt{i="2"} 2\n', 'honor_timestamps: false'),
  futureTimestamp: page('t 1 99999999999999\nu 2\n'),
  trackedStaleness: { respond: timestamped(), job: 'track_timestamps_staleness: true' },
  outOfOrder: page('t 1 1700000002000\nt 2 1700000001000\n'),
  conflicts: page('c{job="mine",instance="me",exported_job="x"} 1\n'),
  honored: page('c{job="mine",instance="me"} 1\nc{job="",instance=""} 2\n', 'honor_labels: true'),
  sampleLimit: page(FEW, 'sample_limit: 2'),
  sampleLimitMet: page(FEW, 'sample_limit: 3'),
  sampleLimitRelabelled: page(
    FEW,
    "sample_limit: 2, metric_relabel_configs: [{source_labels: [__name__], regex: 'two', action: drop}]",
  ),
  labelLimit: page(FEW, 'label_limit: 4'),
  labelNameLimit: page('x{a_long_name="1"} 1\n', 'label_name_length_limit: 8'),
  labelValueLimit: page('x{a="a long value that is too long"} 1\n', 'label_value_length_limit: 25'),
  bodyLimit: page(FEW.repeat(100), 'body_size_limit: 1KB'),
  bodyLimitGzip: {
    respond: text(gzipSync(FEW.repeat(100)), { 'content-encoding': 'gzip' }),
    job: 'body_size_limit: 1KB',
  },
  targetLimit: page(FEW, "target_limit: 1, relabel_configs: [{target_label: x, replacement: 'y'}]"),
  failing: { respond: status(500) },
  missing: { respond: status(404) },
  noContent: { respond: status(204) },
  slow: { respond: () => {}, job: NEVER_DONE },
  slowBody: {
    job: NEVER_DONE,
    respond: (_, response) => {
      response.writeHead(200, { 'content-type': TEXT });
      response.write('a 1\n');
    },
  },
  closing: { respond: (request) => request.socket.destroy() },
  shortBody: {
    respond: (_, response) => {
      response.writeHead(200, { 'content-type': TEXT, 'content-length': '100' });
      response.write('a 1\n');
      setTimeout(() => response.destroy(), 20);
    },
  },
  redirected: {
    respond: (request, response) =>
      request.url === '/to' ? text(FEW)(request, response) : status(302, { location: '/to' })(request, response),
  },
  redirectRefused: { respond: status(302, { location: '/to' }), job: 'follow_redirects: false' },
  redirectLoop: { respond: status(302, { location: '/metrics' }) },
  gzipped: { respond: text(gzipSync(FEW), { 'content-encoding': 'gzip' }) },
  badGzip: { respond: text('not gzip', { 'content-encoding': 'gzip' }) },
  chunked: {
    respond: (_, response) => {
      response.writeHead(200, { 'content-type': TEXT });
      for (const piece of FEW.match(/.{1,5}/gs)!) response.write(piece);
      response.end();
    },
  },
  noContentType: {
    respond: (_, response) => response.end(FEW),
  },
  html: { respond: text('<html>\n', { 'content-type': 'text/html' }) },
  htmlFallback: {
    respond: text(FEW, { 'content-type': 'text/html' }),
    job: 'fallback_scrape_protocol: PrometheusText0.0.4',
  },
  path: { respond: echo, job: "metrics_path: /custom/path, params: {z: ['1', '2'], 'a b': ['ü&']}" },
  pathLabel: {
    respond: echo,
    job: "params: {z: ['1', '2']}, relabel_configs: [{target_label: __param_z, replacement: over}, {target_label: __metrics_path__, replacement: /there}]",
  },
  basicAuth: { respond: echo, job: 'basic_auth: {username: user, password: pass}' },
  bearer: { respond: echo, job: 'authorization: {credentials: token}' },
  customAuth: { respond: echo, job: 'authorization: {type: Custom, credentials: token}' },
  relabelled: page(
    FEW,
    `relabel_configs: [
      {source_labels: [__address__], target_label: copied, regex: '([^:]+):.*', replacement: 'host-$1'},
      {source_labels: [job, __scheme__], separator: ';', target_label: joined},
      {source_labels: [__address__], target_label: shard, modulus: 7, action: hashmod},
      {source_labels: [job], target_label: upper, action: uppercase},
      {source_labels: [upper], target_label: lower, action: lowercase},
      {regex: '__meta_(.+)', action: labelmap},
      {regex: 'lowe.', action: labeldrop},
      {source_labels: [job], regex: 'relab.*', action: keep},
      {source_labels: [job], regex: 'nope', action: drop},
      {source_labels: [job], target_label: job, action: keepequal},
      {source_labels: [job], target_label: copied, action: dropequal},
      {target_label: '__tmp', replacement: hidden},
      {target_label: 'fixed', replacement: 'value with \${1} and $0'}]`,
  ),
  droppedTarget: page(FEW, "relabel_configs: [{source_labels: [job], regex: 'dropped.*', action: drop}]"),
  metricRelabelled: page(
    `${FEW}four{le="1"} 4\nfive{drop_me="1",keep="2"} 5\n`,
    `metric_relabel_configs: [
      {source_labels: [__name__], regex: 'three', action: drop},
      {source_labels: [__name__], regex: '(one|two|four|five)', action: keep},
      {source_labels: [__name__], regex: 'four', target_label: __name__, replacement: renamed},
      {source_labels: [a], target_label: hash, modulus: 100, action: hashmod},
      {source_labels: [a], target_label: upper, action: uppercase},
      {regex: 'drop_.*', action: labeldrop},
      {regex: '(b|keep)', replacement: 'mapped_$1', action: labelmap},
      {source_labels: [a], regex: '', target_label: empty, replacement: yes_it_is}]`,
  ),
  metricLabelKept: page(
    'k{keep="1",other="2"} 1\n',
    "metric_relabel_configs: [{regex: '(__name__|keep)', action: labelkeep}]",
  ),
  metricNameDropped: page('k{keep="1"} 1\n', "metric_relabel_configs: [{regex: '__name__', action: labeldrop}]"),
  metricsCollide: page('k{a="1"} 1\nk{a="2"} 2\n', 'metric_relabel_configs: [{regex: a, action: labeldrop}]'),
  instanceSet: page(FEW, "relabel_configs: [{target_label: instance, replacement: 'named'}]"),
  intervalSet: page(
    FEW,
    "relabel_configs: [{target_label: __scrape_interval__, replacement: '999ms'}, {target_label: __scrape_timeout__, replacement: '990ms'}]",
  ),
  badInterval: page(FEW, "relabel_configs: [{target_label: __scrape_timeout__, replacement: '1h'}]"),
  noAddress: page(FEW, "relabel_configs: [{target_label: __address__, replacement: ''}]"),
  badScheme: page(FEW, "relabel_configs: [{target_label: __scheme__, replacement: 'ftp'}]"),
};

/** The same timestamp in every scrape, that of the first. */
function timestamped(): Respond {
  let body: string | undefined;
  return (request, response) => text((body ??= `t 1 ${Date.now()}\n`))(request, response);
}

export interface ServedPages {
  /** prometheus.yml for all of them. */
  readonly config: string;
  /** For one of them, whose sample is of now. An empty head would take those of other pages, however old or new they are. */
  readonly firstConfig: string;
  close(): void;
}

/** Serves every page on a port of its own, to be scraped once every `intervalMs`, with all of it as the timeout. */
export async function servePages(intervalMs: number): Promise<ServedPages> {
  const servers: Server[] = [];
  let config = `global: {scrape_interval: ${intervalMs}ms, scrape_timeout: ${intervalMs}ms}\nscrape_configs:\n`;
  let firstConfig: string | undefined;
  for (const [job, { respond, job: options }] of Object.entries(PAGES)) {
    const server = createServer(respond).listen(0, '127.0.0.1');
    servers.push(server);
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const target = `static_configs: [{targets: ['127.0.0.1:${port}'], labels: {__meta_mapped: m}}]`;
    config += `- {job_name: ${job}, ${target}${options === undefined ? '' : `, ${options}`}}\n`;
    firstConfig ??= config;
  }
  return {
    config,
    firstConfig: firstConfig!,
    close: () => {
      for (const server of servers) {
        server.closeAllConnections();
        server.close();
      }
    },
  };
}
