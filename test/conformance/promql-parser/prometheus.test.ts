import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errorMessage } from '../../../lib/model/index.ts';
import { parseExpr, prettify, type PromqlFeatures } from '../../../lib/promql/index.ts';
import { needPeer } from '../../tools/peers.ts';
import { SUITE_TIMEOUT_MS } from '../../tools/prometheus-api.ts';
import { PrometheusDriver } from '../../tools/prometheus-driver.ts';
import { fuzzedQueries, knownQueries } from './inputs.ts';

const SEED = Number(process.env['PARSER_FUZZ_SEED'] ?? 1);
const COUNT = Number(process.env['PARSER_FUZZ_COUNT'] ?? 400);
/** Requests under way at a time. */
const CONCURRENCY = 16;
const FLAGS = ['promql-experimental-functions', 'promql-extended-range-selectors', 'promql-binop-fill-modifiers'];
const ALL_FEATURES: PromqlFeatures = {
  experimentalFunctions: true,
  extendedRangeSelectors: true,
  fillModifiers: true,
};

/** The formatted query, or the error. */
function ours(query: string, features: PromqlFeatures): string {
  try {
    return prettify(parseExpr(query, features));
  } catch (error) {
    return errorMessage(error);
  }
}

async function theirs(driver: PrometheusDriver, query: string): Promise<string> {
  const body = new URLSearchParams({ query });
  const response = await fetch(`${driver.url}/api/v1/format_query`, { method: 'POST', body });
  const answer = (await response.json()) as { data?: string; error?: string };
  return answer.data ?? answer.error!.replace(/^invalid parameter "query": /, '');
}

/** Prometheus prints no braces here, which nobody can read back. */
const EMPTY_INFO_SELECTOR = /info\([^)]*, *\{ *\}\)/;

describe('The parser and printer beside Prometheus', function () {
  this.timeout(SUITE_TIMEOUT_MS);

  for (const [what, flags, features] of [
    ['as it comes', [], {}],
    ['with what is experimental', FLAGS, ALL_FEATURES],
  ] as const) {
    it(`accept, reject and print the same queries, ${what}`, async function () {
      const program = needPeer(this, 'prometheus');
      const dataDir = mkdtempSync(join(tmpdir(), 'promlet-parser-'));
      const driver = await PrometheusDriver.start({ program, version: 3, dataDir, features: flags });
      let accepted = 0;
      let broken = 0;
      try {
        const queries = [...knownQueries(), ...fuzzedQueries(SEED, COUNT)].filter(
          (query) => !EMPTY_INFO_SELECTOR.test(query),
        );
        for (let at = 0; at < queries.length; at += CONCURRENCY) {
          const some = queries.slice(at, at + CONCURRENCY);
          const answers = await Promise.all(some.map((query) => theirs(driver, query)));
          for (const [i, expected] of answers.entries()) {
            assert.equal(ours(some[i]!, features), expected, some[i]);
            if (!/^(?:\d+:\d+|unknown position): parse error: /.test(expected)) accepted++;
            if (expected.includes('\n')) broken++;
          }
        }
      } finally {
        await driver.stop();
        rmSync(dataDir, { recursive: true, force: true });
      }
      assert.ok(accepted > 1500 && broken > 50, `${accepted} accepted, ${broken} of them broken into lines`);
    });
  }
});
