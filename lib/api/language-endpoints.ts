/** The endpoints that take a query apart without running it. Follows Prometheus `web/api/v1/api.go`. */
import { errorMessage } from '../model/index.ts';
import { type Expr, parseExpr, prettify, type PromqlFeatures } from '../promql/index.ts';
import type { ApiDeps } from './deps.ts';
import { type Endpoints, needed } from './endpoint.ts';
import { ApiError } from './errors.ts';
import { exemplarsData } from './exemplars-json.ts';
import { exprJson } from './expr-json.ts';
import { MAX_TIME_MS, MIN_TIME_MS, optionalTime, partialResponseParam } from './params.ts';
import { selectorsOf } from './selectors.ts';

/** All take GET and POST. */
export function languageEndpoints(deps: ApiDeps): Endpoints {
  const features: PromqlFeatures = deps.promqlFeatures ?? {};
  const parsed = (params: URLSearchParams): Expr => parseExpr(params.get('query') ?? '', features);

  return {
    query_exemplars: async ({ params, signal, budget }) => {
      const startMs = optionalTime(params, 'start', MIN_TIME_MS);
      const endMs = optionalTime(params, 'end', MAX_TIME_MS);
      if (endMs < startMs) throw new ApiError('bad_data', 'end timestamp must not be before start timestamp');
      const selectors = selectorsOf(barely(() => parsed(params)));
      if (selectors.length === 0) return {};
      const exemplars = needed(deps.exemplars, 'query_exemplars');
      const request = { partialResponse: partialResponseParam(params), params, budget };
      const { series, annotations } = await exemplars(request, startMs, endMs, selectors, signal);
      return { pieces: exemplarsData(series), ...(annotations && { annotations }) };
    },

    format_query: async ({ params }) => ({ data: prettify(parsed(params)) }),

    parse_query: async ({ params }) => ({ data: exprJson(parsed(params)) }),
  };
}

/** Only `query_exemplars` does not name the parameter in its errors. */
function barely(parse: () => Expr): Expr {
  try {
    return parse();
  } catch (error) {
    throw new ApiError('bad_data', errorMessage(error), { cause: error });
  }
}
