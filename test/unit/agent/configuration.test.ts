import assert from 'node:assert/strict';
import { Configuration } from '../../../agent/configuration.ts';
import { parseConfig, type ScrapeConfig } from '../../../lib/config/index.ts';
import { createLogger, systemClock } from '../../../lib/env/index.ts';
import { Labels } from '../../../lib/model/index.ts';

describe('configuration in force', () => {
  let applied: (readonly ScrapeConfig[])[];
  let configuration: Configuration;

  beforeEach(() => {
    applied = [];
    configuration = new Configuration({
      clock: { ...systemClock, now: () => 1234 },
      logger: createLogger('silent'),
      parse: async (text) => ({
        jobs: (await parseConfig(text)).scrape_configs,
        jobErrors: new Map(),
        storage: {},
        externalLabels: Labels.EMPTY,
        queryLogFile: undefined,
      }),
      apply: async ({ jobs }) => void applied.push(jobs),
    });
  });

  it('has the hash of its YAML and where it came from', async () => {
    assert.equal(await configuration.replace('scrape_configs: []\n', 'file a'), true);
    assert.deepEqual(configuration.status, {
      hash: '95043f40c52ac1899b3e3da37a5c0facd1095a5a84161d02a47f158a6f44e633',
      source: 'file a',
      appliedAtMs: 1234,
      lastError: undefined,
      jobErrors: new Map(),
    });
    assert.equal(configuration.text, 'scrape_configs: []\n');
  });

  it('is not applied twice', async () => {
    await configuration.replace('scrape_configs: []', 'a');
    assert.equal(await configuration.replace('scrape_configs: []', 'b'), false);
    assert.equal(applied.length, 1);
    assert.equal(configuration.status.source, 'b');
  });

  it('stays when a new one is refused, and says why until a good one comes', async () => {
    await configuration.replace('scrape_configs: []', 'a');
    const { hash } = configuration.status;
    await assert.rejects(configuration.replace('scrape_configs: 7', 'b'), /expected a list/);
    assert.equal(configuration.status.hash, hash);
    assert.equal(configuration.status.source, 'a');
    assert.match(configuration.status.lastError ?? '', /expected a list/);
    await configuration.replace('scrape_configs: []', 'a');
    assert.equal(configuration.status.lastError, undefined);
  });

  it('takes one change after the other', async () => {
    const jobs = (name: string) => `scrape_configs: [{job_name: ${name}, static_configs: [{targets: [a]}]}]`;
    const results = [
      configuration.replace(jobs('a'), ''),
      configuration.replace('[', ''),
      configuration.replace(jobs('b'), ''),
    ];
    const settled = await Promise.allSettled(results);
    assert.deepEqual(
      settled.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    );
    assert.deepEqual(
      applied.map((jobs) => jobs[0]!.job_name),
      ['a', 'b'],
    );
  });

  it('applies nothing once it is closed', async () => {
    const pending = configuration.replace('scrape_configs: []', 'a');
    const refused = assert.rejects(pending, { code: 'config/closed' });
    await configuration.close();
    await refused;
    await assert.rejects(configuration.replace('scrape_configs: []', 'a'), { code: 'config/closed' });
    assert.equal(applied.length, 0);
    assert.equal(configuration.status.lastError, undefined);
  });
});
