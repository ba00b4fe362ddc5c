/** The programs as they are shipped: what bundling leaves out is not missed. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freePort } from '../sandbox/ports.ts';
import { ManagedProcess } from '../sandbox/process.ts';
import { bundlePrograms } from '../tools/bundle.ts';
import { eventually, instant, PATIENCE_MS, SUITE_TIMEOUT_MS } from '../tools/prometheus-api.ts';
import { closeServers, serve, serveTls } from '../unit/scrape/fixtures.ts';

const TEXT = 'text/plain; version=0.0.4';
const run = promisify(execFile);
const tlsFile = (name: string): string => fileURLToPath(new URL(`../unit/scrape/tls/${name}`, import.meta.url));

describe('the bundle', function () {
  this.timeout(SUITE_TIMEOUT_MS);
  let dir: string;
  const program = (name: string): string => join(dir, 'dist', `${name}.mjs`);

  before(async () => {
    dir = mkdtempSync(join(tmpdir(), 'promlet-bundle-'));
    await bundlePrograms(join(dir, 'dist'));
  });
  after(async () => {
    await closeServers();
    rmSync(dir, { recursive: true, force: true });
  });

  it('of the agent scrapes over HTTP and TLS, asks an API server over TLS, and answers', async () => {
    const plain = await serve((_, response) => void response.setHeader('Content-Type', TEXT).end('plain 1\n'));
    const credentials = {
      cert: readFileSync(tlsFile('cert.pem'), 'utf8'),
      key: readFileSync(tlsFile('key.pem'), 'utf8'),
    };
    const secure = await serveTls(
      credentials,
      (_, response) => void response.setHeader('Content-Type', TEXT).end('secure 2\n'),
    );
    const asked: string[] = [];
    const apiServer = await serveTls(credentials, (request, response) => {
      asked.push(request.url!);
      response.writeHead(403).end();
    });
    const configFile = join(dir, 'config.yml');
    writeFileSync(
      configFile,
      JSON.stringify({
        global: { scrape_interval: '1s' },
        scrape_configs: [
          { job_name: 'plain', static_configs: [{ targets: [plain] }] },
          {
            job_name: 'secure',
            scheme: 'https',
            tls_config: { ca_file: tlsFile('cert.pem') },
            static_configs: [{ targets: [secure] }],
          },
          {
            job_name: 'pods',
            kubernetes_sd_configs: [{ role: 'pod' }],
          },
        ],
      }),
    );
    const kubeconfigFile = join(dir, 'kubeconfig.yml');
    writeFileSync(
      kubeconfigFile,
      JSON.stringify({
        clusters: [
          { name: 'c', cluster: { server: `https://${apiServer}`, 'certificate-authority': tlsFile('cert.pem') } },
        ],
        users: [{ name: 'u', user: { token: 'secret' } }],
        contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
        'current-context': 'x',
      }),
    );
    const port = await freePort();
    const agent = await ManagedProcess.start({
      name: 'agent',
      command: process.execPath,
      args: [
        program('agent'),
        '--node-name=node-1',
        `--kubeconfig=${kubeconfigFile}`,
        `--config.file=${configFile}`,
        `--storage.tsdb.path=${join(dir, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      logFile: join(dir, 'agent.log'),
    });
    try {
      const values = async (): Promise<string[]> => {
        const found = await instant(`http://127.0.0.1:${port}`, '{__name__=~"plain|secure"}');
        return found.map(({ metric, value }) => `${metric['__name__']} ${value[1]}`).sort();
      };
      const found = await eventually('samples of both', PATIENCE_MS, async () => {
        const now = await values().catch(() => []);
        return now.length === 2 && asked.length > 0 ? now : undefined;
      });
      assert.deepEqual(found, ['plain 1', 'secure 2']);
      assert.match(asked[0]!, /^\/api\/v1\/pods\?/);
    } finally {
      await agent.stop();
    }
  });

  it('of the agent has the tsdb commands', async () => {
    const input = join(dir, 'input.txt');
    writeFileSync(input, 'a 1 7000\n# EOF\n');
    const bundled = (...args: readonly string[]) => run(process.execPath, [program('agent'), ...args]);
    await bundled('tsdb', 'create-blocks-from', 'openmetrics', input, join(dir, 'blocks'));
    assert.equal((await bundled('tsdb', 'dump', join(dir, 'blocks'))).stdout, '{__name__="a"} 1 7000000\n');
    assert.match((await bundled('--help')).stdout, /Commands:\n {2}tsdb/);
  });

  it('of the agent loads nothing of the server for them', () => {
    const read = (file: string) => readFileSync(join(dir, 'dist', file), 'utf8');
    const closure = (file: string, seen = new Set<string>()): Set<string> => {
      if (seen.has(file)) return seen;
      seen.add(file);
      for (const [, next] of read(file).matchAll(/(?:from|import)\s*"\.\/([^"]+\.mjs)"/g)) closure(next!, seen);
      return seen;
    };
    const started = [...read('agent.mjs').matchAll(/import\("\.\/([^"]+)"\)/g)].map(([, file]) => file!);
    const withText = (text: string) =>
      started.filter((file) => [...closure(file)].some((part) => read(part).includes(text)));
    const commands = withText('OpenMetricsParser=class');
    assert.equal(commands.length, 1);
    for (const text of ['ScrapeManager=class', 'koa', 'zod', 'undici']) {
      assert.ok(withText(text).length <= 1 && withText(text)[0] !== commands[0], text);
    }
    assert.equal(withText('ScrapeManager=class').length, 1);
  });

  it('of the operator starts', async () => {
    assert.match((await run(process.execPath, [program('operator'), '--help'])).stdout, /Usage: promlet-operator/);
  });
});
