/**
 * Where the grammar of Prometheus's editor (`@prometheus-io/lezer-promql`) and its server part ways. We go with the server:
 * prometheus.test.ts compares each of these with it.
 */

/** The editor refuses what the server takes. Matched against the query. */
export const EDITOR_REFUSES: readonly (readonly [why: string, query: RegExp])[] = [
  ['it does not know these functions of scalars', /\b(?:min_of|max_of)\s*\(/i],
  ['it wants a digit behind a decimal point', /\d\.(?!\d)/],
  ['it knows these only in lower case', /\b(?:STEP|STep|Step|RANGE|Range)\s*\(/],
  ['it does not take a keyword for the name of a metric', /(?:^|[-+*/%^=<>(,]|\b(?:and|or|unless|atan2|bool|group_left|group_right))\s*offset\b/i],
];

/** The editor takes what the server refuses as bad syntax. Matched against our message. */
export const EDITOR_TAKES: readonly (readonly [why: string, message: RegExp])[] = [
  ['it takes the name of an operator for that of a metric', /unexpected <op:atan2>/],
  ['it takes any word for the name of a label', /in grouping opts, expected label/],
  ['it ends an offset where its parentheses end', /in offset, expected number/],
  ['it lets a word stand at the end of a number', /bad number or duration syntax/],
  ['it takes any number for a duration', /unexpected character in duration expression/],
  ['it does not mind a comma at the end of arguments', /trailing commas not allowed/],
  ['it does not look at the value of a number', /value out of range|duration out of range/],
  ['it does not look into strings, nor for their ends', /escape|error unquoting|unterminated (?:quoted|raw) string/],
  ['it does not look at the units of a duration', /unknown unit|not a valid duration/],
];

/** What the server checks behind the syntax, which the editor leaves to another part of it. Matched against our message. */
export const NOT_SYNTAX: readonly RegExp[] = [
  /^expected (?:at least |at most )?\d+ argument/,
  /^expected type /,
  /^expected label selectors only/,
  /^binary expression must contain only scalar and instant vector types/,
  /^unary expression only allowed on/,
  /^(?:comparisons between scalars|set operator |bool modifier |vector matching only allowed|no grouping allowed)/,
  /^filling in missing series /,
  /^label ".*" must not occur in ON and GROUP clause at once/,
  /^(?:offset|@) modifier must be preceded by/,
  /^(?:offset|@ <timestamp>) may not be set multiple times/,
  /^(?:anchored|smoothed) modifier (?:not implemented|is not supported for subqueries)/,
  /^anchored and smoothed modifiers cannot be used together/,
  /^(?:ranges only allowed for vector selectors|no (?:offset|@) modifiers? allowed before range)/,
  /^subquery is only allowed on instant vector/,
  /^duration must be greater than 0/,
  /^(?:division|modulo) by zero/,
  /^timestamp out of bounds/,
  /^vector selector must contain at least one non-empty matcher/,
  /^metric name must not be set twice/,
  /^invalid label name for grouping/,
  /^(?:no|wrong number of) arguments for aggregate expression provided/,
  /^error parsing regexp/,
];
