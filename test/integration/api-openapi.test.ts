/** Our answers against the description of the API that Prometheus 3.15 itself serves. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { OpenApi } from '../tools/openapi.ts';
import { needPeer } from '../tools/peers.ts';
import { eventually, instant, PATIENCE_MS, SUITE_TIMEOUT_MS } from '../tools/prometheus-api.ts';
import { type Program, startAgentProgram, startPrometheusProgram } from './side-by-side/programs.ts';

/** What is not served here: the search and OTLP endpoints, and what is no JSON. */
const NOT_SERVED = /search|otlp|self_metrics|scrape_pools\/config|\/(?:read|write)$/;
/** From a minute before to a minute after the scrape that is waited for. */
const RANGE = 'start=$START&end=$END&step=5';
/** Parameters by path; what is not here takes none. */
const PARAMETERS: Readonly<Record<string, readonly string[]>> = {
  // A string is left out: Prometheus forgot to describe it.
  '/query': ['query=up', 'query=up[1m]', 'query=1', 'query=up&stats=all', 'query=sum(', 'query=up*on()up'],
  '/query_range': [`query=up&${RANGE}`, `query=rate(up[10s])&${RANGE}`, 'query=up&start=1'],
  '/query_exemplars': ['query=up', 'query=('],
  '/format_query': ['query=sum(up)by(job)', 'query=('],
  '/parse_query': ['query=sum(up)by(job)', 'query=rate(up[5m] offset 1m) > bool on(job) group_left() up', 'query=('],
  '/labels': ['', 'match[]=up', 'match[]={}'],
  '/label/{name}/values': ['', 'match[]=up', 'limit=x'],
  '/series': ['match[]=up', ''],
  '/metadata': ['', 'limit=1', 'limit=x'],
  '/targets': ['', 'state=dropped'],
  '/targets/metadata': ['', 'limit=x'],
  '/targets/relabel_steps': ['scrapePool=self&labels={"__address__":"a:1"}', ''],
  '/rules': ['', 'type=x'],
  '/status/tsdb': ['', 'limit=0'],
  '/admin/tsdb/delete_series': ['match[]=nothing', ''],
};

describe('the description that Prometheus gives of its API', function () {
  this.timeout(SUITE_TIMEOUT_MS);
  let dir: string;
  let ours: Program;
  let description: OpenApi;
  let scrapedSeconds: number;

  before(async function () {
    const prometheus = needPeer(this, 'prometheus');
    dir = mkdtempSync(join(tmpdir(), 'promlet-openapi-'));
    const options = (name: string) => ({
      configFile: join(dir, `${name}.yml`),
      dataDir: join(dir, name),
      logFile: join(dir, `${name}.log`),
    });
    writeFileSync(options('theirs').configFile, '{}\n');
    const theirs = await startPrometheusProgram(prometheus, options('theirs'));
    try {
      description = new OpenApi(await (await fetch(`${theirs.url}/api/v1/openapi.yaml`)).text());
      const target = new URL(theirs.url).host;
      const job = `{ job_name: self, scrape_interval: 500ms, static_configs: [{ targets: ['${target}'] }] }`;
      writeFileSync(options('ours').configFile, `scrape_configs: [${job}]\n`);
      ours = await startAgentProgram(options('ours'), '--web.enable-admin-api');
      const [up] = await eventually('a scrape', PATIENCE_MS, async () => {
        const found = await instant(ours.url, 'up == 1');
        return found.length === 1 && found;
      });
      scrapedSeconds = Math.floor(up!.value[0]);
    } finally {
      await theirs.process.stop();
    }
  });
  after(async () => {
    await ours?.process.stop();
    if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
  });

  it('holds for every endpoint that it names', async () => {
    const faults: string[] = [];
    let checked = 0;
    for (const operation of description.operations.filter((name) => !NOT_SERVED.test(name))) {
      const [method = '', path = ''] = operation.split(' ');
      if (method === 'OPTIONS') continue;
      for (const template of PARAMETERS[path] ?? ['']) {
        const parameters = template
          .replace('$START', String(scrapedSeconds - 60))
          .replace('$END', String(scrapedSeconds + 60));
        const url = `${ours.url}/api/v1${path.replace('{name}', 'job')}`;
        const isForm = method === 'POST';
        const response = isForm
          ? await fetch(url, { method, body: new URLSearchParams(parameters) })
          : await fetch(`${url}?${parameters}`, { method });
        const text = await response.text();
        // It answers so where it describes a body; that we do alike is held beside it elsewhere.
        if (response.status === 204) continue;
        const fault = description.fault(operation, response.status, text === '' ? undefined : JSON.parse(text));
        if (fault !== '') faults.push(`${operation} ${parameters}: ${response.status} ${text.slice(0, 300)}\n${fault}`);
        checked++;
      }
    }
    assert.equal(faults.join('\n\n'), '');
    assert.ok(checked > 60, `${checked} answers`);
  });

  it('finds an answer that is not as described', () => {
    assert.notEqual(description.fault('GET /query', 200, { status: 'success', data: { result: 7 } }), '');
    assert.notEqual(description.fault('GET /alerts', 200, { status: 'success', data: { alerts: {} } }), '');
  });
});
