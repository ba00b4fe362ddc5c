import assert from 'node:assert/strict';
import { parseConfig, serializeConfig } from '../../../../lib/config/index.ts';
import { ConfigRenderer } from '../../../../operator/publish/index.ts';

const global = { scrape_interval: 15_000, external_labels: { cluster: 'eu' } };
const job = (name: string) => ({ job_name: name, relabel_configs: [{ target_label: 'a', replacement: 'b\nc: d' }] });

describe('the renderer', () => {
  const renderer = new ConfigRenderer({ scrapeIntervalMs: 15_000, externalLabels: { cluster: 'eu' } });

  it('joins fragments to what one piece would be', async () => {
    const fragments = await Promise.all([[job('a'), job('b')], [], [job('c')]].map((jobs) => renderer.fragment(jobs)));
    const whole = await serializeConfig({ global, scrape_configs: [job('a'), job('b'), job('c')] });
    assert.equal(await renderer.join(fragments), whole);
  });

  it('writes a configuration without jobs', async () => {
    const config = await parseConfig(await renderer.join([await renderer.fragment([])]));
    assert.deepEqual(config.scrape_configs, []);
    assert.equal(config.global.scrape_interval, 15_000);
  });

  it('refuses jobs that an agent would refuse', async () => {
    const bad = { job_name: 'bad', scrape_interval: 5_000, scrape_timeout: 6_000 };
    await assert.rejects(renderer.fragment([bad]), { code: 'config/invalid' });
  });
});
