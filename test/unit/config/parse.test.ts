import assert from 'node:assert/strict';
import {
  type ConfigError,
  parseConfig,
  serializeConfig,
  unsupportedMechanisms,
  unsupportedSections,
} from '../../../lib/config/index.ts';

const JOB = 'scrape_configs:\n  - job_name: app\n';

async function problemOf(text: string): Promise<string> {
  const error = await parseConfig(text).then(
    () => assert.fail(`accepted:\n${text}`),
    (reason: ConfigError) => reason,
  );
  return error.message;
}

describe('config: parsing', () => {
  it('applies the defaults to an empty file and to an empty job', async () => {
    const empty = await parseConfig('');
    assert.equal(empty.global.scrape_interval, 60_000);
    assert.equal(empty.global.scrape_timeout, 10_000);
    assert.deepEqual(empty.scrape_configs, []);
    const [job] = (await parseConfig(JOB)).scrape_configs;
    assert.equal(job!.metrics_path, '/metrics');
    assert.equal(job!.scheme, 'http');
    assert.equal(job!.honor_timestamps, true);
    assert.equal(job!.honor_labels, false);
    assert.equal(job!.follow_redirects, true);
    assert.equal(job!.enable_compression, true);
    assert.equal(job!.metric_name_validation_scheme, 'utf8');
    assert.equal(job!.metric_name_escaping_scheme, 'allow-utf-8');
  });

  it('hands the global settings down, and caps the timeout at the interval', async () => {
    const text = `global: {scrape_interval: 5s, sample_limit: 7, body_size_limit: 15MB}\n${JOB}`;
    const [job] = (await parseConfig(text)).scrape_configs;
    assert.equal(job!.scrape_interval, 5_000);
    assert.equal(job!.scrape_timeout, 5_000);
    assert.equal(job!.sample_limit, 7);
    assert.equal(job!.body_size_limit, 15 * 1024 * 1024);
  });

  it('takes scalars for what their field is, as Go does', async () => {
    const text = `${JOB}    honor_labels: yes\n    metrics_path: 010\n    scheme: 1e3\n    params: {n: [1, true, null]}\n`;
    const [job] = (await parseConfig(text)).scrape_configs;
    assert.equal(job!.honor_labels, true);
    assert.equal(job!.metrics_path, '010');
    assert.equal(job!.scheme, '1e3');
    assert.deepEqual(job!.params, { n: ['1', 'true', ''] });
  });

  it('turns a bearer token into an authorization', async () => {
    const [job] = (await parseConfig(`${JOB}    bearer_token: abc\n`)).scrape_configs;
    assert.deepEqual(job!.authorization, { type: 'Bearer', credentials: 'abc' });
    assert.equal('bearer_token' in job!, false);
  });

  it('keeps a label named __proto__ as a label', async () => {
    const text = `${JOB}    static_configs:\n      - targets: [a:1]\n        labels: {__proto__: x, constructor: z}\n`;
    const [job] = (await parseConfig(text)).scrape_configs;
    assert.deepEqual(Object.entries(job!.static_configs[0]!.labels), [
      ['__proto__', 'x'],
      ['constructor', 'z'],
    ]);
  });

  it('expands $(NAME) in values and $NAME in external labels, and leaves the rest', async () => {
    const text =
      `global: {external_labels: {node: '\${NODE_NAME}', cash: '$$5', none: 'a$UNSET'}}\n${JOB}` +
      `    kubernetes_sd_configs:\n      - role: pod\n        selectors: [{role: pod, field: spec.nodeName=$(NODE_NAME)}]\n` +
      `    relabel_configs: [{target_label: x, replacement: $1-$(UNSET)}]\n`;
    const config = await parseConfig(text, { environment: { NODE_NAME: 'node-a' } });
    assert.deepEqual({ ...config.global.external_labels }, { node: 'node-a', cash: '$5', none: 'a' });
    assert.equal(config.scrape_configs[0]!.kubernetes_sd_configs[0]!.selectors[0]!.field, 'spec.nodeName=node-a');
    assert.equal(config.scrape_configs[0]!.relabel_configs[0]!.replacement, '$1-$(UNSET)');
  });

  it('an expanded variable cannot add structure', async () => {
    const environment = { NODE_NAME: 'x\nhonor_labels: true' };
    const [job] = (await parseConfig(`${JOB}    metrics_path: $(NODE_NAME)\n`, { environment })).scrape_configs;
    assert.equal(job!.metrics_path, 'x\nhonor_labels: true');
    assert.equal(job!.honor_labels, false);
  });

  const refused: readonly (readonly [what: string, text: string, message: RegExp])[] = [
    [
      'an unknown field',
      `${JOB}    interval: 5s\n`,
      /^line 3: scrape_configs\[0\]: field interval not found in type scrape_configs$/,
    ],
    ['an unknown section', 'scrape: []\n', /^line 1: field scrape not found in type config$/],
    [
      'a bad duration',
      `${JOB}    scrape_interval: 5\n`,
      /^line 3: scrape_configs\[0\]\.scrape_interval: not a valid duration string: "5"$/,
    ],
    ['two problems at once', `${JOB}    a: 1\n    scrape_interval: x\n`, /scrape_interval.*; line 3: .*field a/],
    ['a duplicate key', `${JOB}    scheme: a\n    scheme: b\n`, /^line 4: yaml: Map keys must be unique$/],
    ['broken YAML', 'a: [1', /^line 1: yaml: /],
    ['a list for a mapping', 'global: [1]\n', /^line 1: global: expected a mapping$/],
    [
      'a regex that does not compile',
      `${JOB}    relabel_configs: [{action: keep, regex: 'a('}]\n`,
      /invalid regex "a\("/,
    ],
    ['a text for the file', 'hello', /^line 1: expected a mapping$/],
    ['a key that is a mapping', '? {a: b}\n: c\n', /a key must be text/],
    [
      'a modulus beyond exact arithmetic',
      `${JOB}    relabel_configs: [{action: hashmod, target_label: a, modulus: 99999999999999}]`,
      /2\^45/,
    ],
  ];
  for (const [what, text, message] of refused) {
    it(`refuses ${what}, naming place and reason`, async () => {
      assert.match(await problemOf(text), message);
    });
  }

  it('names ten problems and counts the rest', async () => {
    const fields = Array.from({ length: 25 }, (_, i) => `field${i}: 1`).join('\n');
    assert.match(await problemOf(fields), /field9 not found in type config; and 15 more$/);
  });

  it('refuses aliases that multiply', async () => {
    let text = 'a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n';
    for (let i = 1; i < 9; i++)
      text += `a${i}: &a${i} [${Array(10)
        .fill(`*a${i - 1}`)
        .join(', ')}]\n`;
    assert.match(await problemOf(text), /alias/i);
  });

  it('refuses nesting that would overflow the stack', async () => {
    assert.match(await problemOf(`a: ${'['.repeat(20_000)}`), /nested|yaml/);
  });

  it('refuses a text beyond the limit', async () => {
    await assert.rejects(parseConfig(' '.repeat(64 * 1024 * 1024 + 1)), { code: 'config/too-large' });
  });
});

describe('config: writing', () => {
  it('writes a draft with its units and quotes, and reads it back', async () => {
    const text = await serializeConfig({
      scrape_configs: [
        {
          job_name: 'yes',
          scrape_interval: 90_000,
          body_size_limit: 1024,
          static_configs: [{ targets: ['a:1'], labels: { timeout: '5', on: 'no' } }],
          relabel_configs: [{ source_labels: ['a'], regex: 'x: y # z', target_label: 'b', replacement: '' }],
        },
      ],
    });
    assert.match(text, /scrape_interval: 1m30s\n/);
    assert.match(text, /body_size_limit: 1024B\n/);
    assert.match(text, /job_name: "yes"\n/);
    const [job] = (await parseConfig(text)).scrape_configs;
    assert.equal(job!.scrape_interval, 90_000);
    assert.deepEqual({ ...job!.static_configs[0]!.labels }, { timeout: '5', on: 'no' });
    assert.equal(job!.relabel_configs[0]!.replacement, '');
    assert.equal(job!.relabel_configs[0]!.regex, 'x: y # z');
  });

  it('hides secrets when asked, wherever they are', async () => {
    const config = await parseConfig(
      `${JOB}    basic_auth: {username: bob, password: hunter2}\n` +
        `    tls_config: {cert: c, key: hunter2, key_file: ''}\n` +
        `    proxy_url: http://u:hunter2@proxy\n    proxy_connect_header: {X-A: [hunter2]}\n` +
        `    http_headers: {X-B: {secrets: [hunter2], values: [seen]}}\n` +
        `  - job_name: b\n    authorization: {credentials: hunter2}\n` +
        `  - job_name: c\n    oauth2: {client_id: i, token_url: t, client_secret: hunter2}\n` +
        `  - job_name: d\n    consul_sd_configs: [{server: s, token: hunter2}]\n`,
    );
    const shown = await serializeConfig(config, { redact: true });
    assert.doesNotMatch(shown, /hunter2/);
    assert.match(shown, /username: bob/);
    assert.match(shown, /seen/);
    assert.match(await serializeConfig(config), /hunter2/);
  });
});

describe('config: what is not served yet', () => {
  it('is nothing for what the program names', async () => {
    const text = `${JOB}    static_configs: [{targets: [a]}]\n    kubernetes_sd_configs: [{role: pod}]\n`;
    const config = await parseConfig(text);
    assert.deepEqual(unsupportedSections(config, ['global', 'scrape_configs']), []);
    assert.deepEqual(unsupportedMechanisms(config.scrape_configs[0]!, ['static', 'kubernetes']), []);
  });

  it('is named, section by section and mechanism by mechanism', async () => {
    const text =
      `${JOB}    static_configs: [{targets: [a]}]\n    consul_sd_configs: [{server: s}]\n` +
      `rule_files: [a.yml]\nremote_write: [{url: http://a}]\n`;
    const config = await parseConfig(text);
    assert.deepEqual(unsupportedSections(config, ['global', 'scrape_configs']).sort(), [
      'section remote_write is not supported yet',
      'section rule_files is not supported yet',
    ]);
    assert.deepEqual(unsupportedMechanisms(config.scrape_configs[0]!, ['static', 'kubernetes']), [
      'consul_sd_configs is not supported yet',
    ]);
    assert.deepEqual(unsupportedMechanisms(config.scrape_configs[0]!, ['consul']), [
      'static_configs is not supported yet',
    ]);
  });
});
