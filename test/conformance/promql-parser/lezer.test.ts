import assert from 'node:assert/strict';
import { parser } from '@prometheus-io/lezer-promql';
import { errorMessage } from '../../../lib/model/index.ts';
import { parseExpr } from '../../../lib/promql/index.ts';
import { SUITE_TIMEOUT_MS } from '../../tools/prometheus-api.ts';
import { fuzzedQueries, knownQueries } from './inputs.ts';
import { EDITOR_REFUSES, EDITOR_TAKES, NOT_SYNTAX } from './lezer-differences.ts';

const SEED = Number(process.env['PARSER_FUZZ_SEED'] ?? 1);
const COUNT = Number(process.env['PARSER_FUZZ_COUNT'] ?? 3000);
const FEATURES = { experimentalFunctions: true, extendedRangeSelectors: true, fillModifiers: true };

function editorTakes(query: string): boolean {
  let isError = false;
  parser.parse(query).iterate({
    enter(node) {
      isError ||= node.type.isError;
    },
  });
  return !isError;
}

/** undefined: we take it. */
function ourError(query: string): string | undefined {
  try {
    parseExpr(query, FEATURES);
    return undefined;
  } catch (error) {
    return errorMessage(error).replace(/^(?:\d+:\d+|unknown position): parse error: /, '');
  }
}

function isListed(query: string, error: string | undefined): boolean {
  if (error === undefined) return EDITOR_REFUSES.some(([, pattern]) => pattern.test(query));
  return EDITOR_TAKES.some(([, pattern]) => pattern.test(error));
}

describe("The parser beside the grammar of Prometheus's editor", function () {
  this.timeout(SUITE_TIMEOUT_MS);

  it('takes and refuses the same queries, but for the listed differences', () => {
    const counts = { taken: 0, refused: 0, different: 0 };
    const unlisted: string[] = [];
    for (const query of [...knownQueries(), ...fuzzedQueries(SEED, COUNT)]) {
      const error = ourError(query);
      const isTaken = editorTakes(query);
      if (isTaken === (error === undefined)) counts[isTaken ? 'taken' : 'refused']++;
      else if (error === undefined || !NOT_SYNTAX.some((pattern) => pattern.test(error))) {
        if (!isListed(query, error)) unlisted.push(`${query}: ${error ?? 'taken by us'}`);
        counts.different++;
      }
    }
    assert.deepEqual(unlisted, []);
    assert.ok(counts.taken > 2000 && counts.refused > 1000, JSON.stringify(counts));
    assert.ok(counts.different < 0.05 * (counts.taken + counts.refused), JSON.stringify(counts));
  });
});
