import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ConfigError, parseConfig, serializeConfig } from '../../../lib/config/index.ts';

const DATA = fileURLToPath(new URL('../../conformance/config/', import.meta.url));
const files = readdirSync(DATA).filter((name) => name.endsWith('.yml'));

/** Bad only in the settings of a mechanism that Promlet does not serve; such settings are not read, see `unsupported`. */
const FOREIGN_MECHANISM = [
  'azure_bearertoken_basicauth.bad.yml',
  'azure_client_id_missing.bad.yml',
  'azure_client_secret_missing.bad.yml',
  'azure_subscription_id_missing.bad.yml',
  'azure_tenant_id_missing.bad.yml',
  'ec2_filters_empty_values.bad.yml',
  'ec2_token_file.bad.yml',
  'eureka_invalid_server.bad.yml',
  'eureka_no_server.bad.yml',
  'lightsail_token_file.bad.yml',
  'marathon_authtoken_authorization.bad.yml',
  'marathon_authtoken_authtokenfile.bad.yml',
  'marathon_authtoken_basicauth.bad.yml',
  'marathon_authtoken_bearertoken.bad.yml',
  'marathon_no_servers.bad.yml',
  'outscale_no_region.bad.yml',
  'outscale_no_secret.bad.yml',
  'outscale_two_secrets.bad.yml',
  'puppetdb_token_file.bad.yml',
  'stackit_endpoint.bad.yml',
  'uyuni_no_server.bad.yml',
  'uyuni_token_file.bad.yml',
];

/** Bad only together with the files that `scrape_config_files` names, which parsing one text does not open. */
const OTHER_FILES = [
  'scrape_config_files_double_import.bad.yml',
  'scrape_config_files_duplicate.bad.yml',
  'scrape_config_files_global.bad.yml',
  'scrape_config_files_global_duplicate.bad.yml',
];

const ACCEPTED_THOUGH_BAD = new Set([...FOREIGN_MECHANISM, ...OTHER_FILES]);

/** Not named `bad`, and refused: Alertmanager's API v1, and names that need UTF-8 under the legacy scheme. */
const REFUSED = new Set([
  'config_with_deprecated_am_api_config.yml',
  'otlp_allow_utf8.incompatible.yml',
  'otlp_no_translation.incompatible.yml',
]);

const load = async (name: string) => parseConfig(readFileSync(DATA + name, 'utf8'));

describe("config: Prometheus's own test files", () => {
  it('has the data, and every exception names a file of it', () => {
    assert.equal(files.length, 215);
    for (const name of [...ACCEPTED_THOUGH_BAD, ...REFUSED]) assert.ok(files.includes(name), name);
    assert.equal(ACCEPTED_THOUGH_BAD.size, 26);
  });

  for (const name of files) {
    const bad = (name.endsWith('.bad.yml') && !ACCEPTED_THOUGH_BAD.has(name)) || REFUSED.has(name);
    if (bad) {
      it(`refuses ${name}, with the line`, async () => {
        await assert.rejects(load(name), (error) => {
          assert.ok(error instanceof ConfigError, String(error));
          assert.ok(error.problems.length > 0 && error.problems.every((problem) => problem.line > 0));
          return true;
        });
      });
    } else {
      it(`accepts ${name}, and reads what it writes of it to the same`, async () => {
        const config = await load(name);
        assert.deepEqual(await parseConfig(await serializeConfig(config)), config);
      });
    }
  }
});
