import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  type ConfigError,
  parseConfig,
  parseConfigInProcess,
  relabel,
  showConfigInProcess,
} from '../../../lib/config/index.ts';
import { Labels } from '../../../lib/model/index.ts';

const TEXT = `global: {external_labels: {__proto__: a}}
scrape_configs:
- job_name: a
  params: {constructor: [y]}
  static_configs: [{targets: ['h:1'], labels: {__proto__: z, node: $(NODE_NAME)}}]
  relabel_configs: [{source_labels: [node], regex: 'n(.)', target_label: letter}]
- job_name: __proto__
  basic_auth: {username: bob, password: hunter2}
`;
const environment = { NODE_NAME: 'n1' };

describe('config: parsing in a process of its own', function () {
  this.timeout(120_000);

  it('gives what parsing here gives', async () => {
    const there = await parseConfigInProcess(TEXT, { environment });
    const here = await parseConfig(TEXT, { environment });
    // Fields that are undefined do not cross.
    assert.deepEqual(there, JSON.parse(JSON.stringify(here)));
    assert.deepEqual(Object.keys(there.scrape_configs[0]!.static_configs[0]!.labels), ['__proto__', 'node']);
    assert.deepEqual(Object.entries(there.global.external_labels), [['__proto__', 'a']]);
  });

  it('leaves rules as text that relabelling compiles', async () => {
    const config = await parseConfigInProcess(TEXT, { environment });
    const labels = relabel(Labels.of({ node: 'n1' }), config.scrape_configs[0]!.relabel_configs);
    assert.equal(labels?.get('letter'), '1');
  });

  it('throws the same errors, problem by problem', async () => {
    for (const text of ['scrape_configs: 7\nglobal: {scrape_interval: x}', 'a: [']) {
      const here = await parseConfig(text).catch((error: ConfigError) => error);
      await assert.rejects(parseConfigInProcess(text), (error: ConfigError) => {
        assert.equal(error.constructor.name, 'ConfigError');
        assert.equal(error.message, (here as ConfigError).message);
        assert.equal(error.code, (here as ConfigError).code);
        assert.deepEqual(error.problems, (here as ConfigError).problems);
        return true;
      });
    }
    await assert.rejects(parseConfigInProcess(' '.repeat((64 << 20) + 1)), { code: 'config/too-large' });
  });

  it('ends when it is told to', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const parsing = parseConfigInProcess(TEXT, { signal: controller.signal });
    controller.abort(reason);
    await assert.rejects(parsing, reason);
    await assert.rejects(parseConfigInProcess(TEXT, { signal: controller.signal }), reason);
  });

  it('lets other work go on however long it takes', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'promlet-config-process-'));
    const [gate, lateNode] = [join(dir, 'gate'), join(dir, 'node')];
    const { execPath } = process;
    writeFileSync(lateNode, `#!/bin/sh\nwhile [ ! -e '${gate}' ]; do sleep 0.01; done\nexec '${execPath}' "$@"\n`, {
      mode: 0o755,
    });
    let isParsed = false;
    process.execPath = lateNode;
    const parsing = parseConfigInProcess(TEXT, { environment }).finally(() => (isParsed = true));
    process.execPath = execPath;
    try {
      for (let turn = 0; turn < 100; turn++) await nextTurn();
      assert.equal(isParsed, false);
    } finally {
      writeFileSync(gate, '');
    }
    assert.equal((await parsing).scrape_configs.length, 2);
    rmSync(dir, { recursive: true });
  });

  it('shows a text with its defaults and without its secrets', async () => {
    const shown = await showConfigInProcess(TEXT, { environment });
    assert.match(shown, /metrics_path: \/metrics/);
    assert.match(shown, /node: n1/);
    assert.match(shown, /password: <secret>/);
    await assert.rejects(showConfigInProcess('a: ['), { code: 'config/bad-yaml' });
  });

  it('loads neither zod nor yaml into the program', () => {
    const client = readFileSync(
      fileURLToPath(new URL('../../../lib/config/process-client.ts', import.meta.url)),
      'utf8',
    );
    assert.doesNotMatch(client, /from '(?:zod|yaml|.*schema.*|\.\/parse\.ts|\.\/serialize\.ts)'/);
  });
});
