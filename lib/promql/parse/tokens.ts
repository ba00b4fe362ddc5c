import { quote } from '../../model/index.ts';

/** Operators that are words, aggregations, and modifiers are tokens of their own type: the lower-cased word. */
const WORD_OPERATORS = ['and', 'or', 'unless', 'atan2'] as const;
const AGGREGATORS = [
  'sum',
  'avg',
  'count',
  'min',
  'max',
  'group',
  'stddev',
  'stdvar',
  'topk',
  'bottomk',
  'count_values',
  'quantile',
  'limitk',
  'limit_ratio',
] as const;
const KEYWORDS = [
  'offset',
  'smoothed',
  'anchored',
  'by',
  'without',
  'on',
  'ignoring',
  'group_left',
  'group_right',
  'fill',
  'fill_left',
  'fill_right',
  'bool',
] as const;
/** Names with a meaning in `@` modifiers and durations, functions elsewhere. */
const PREPROCESSORS = ['start', 'end', 'step', 'range', 'max_of', 'min_of'] as const;
const SYMBOL_OPERATORS = [
  '+',
  '-',
  '*',
  '/',
  '%',
  '^',
  '==',
  '!=',
  '<',
  '<=',
  '>',
  '>=',
  '</',
  '>/',
  '=~',
  '!~',
  '@',
] as const;
const PUNCTUATION = ['(', ')', '{', '}', '[', ']', ',', '=', ':'] as const;

export type WordToken =
  | (typeof WORD_OPERATORS)[number]
  | (typeof AGGREGATORS)[number]
  | (typeof KEYWORDS)[number]
  | (typeof PREPROCESSORS)[number];

export type TokenType =
  | 'EOF'
  | 'IDENTIFIER'
  | 'METRIC_IDENTIFIER'
  | 'NUMBER'
  | 'DURATION'
  | 'STRING'
  | WordToken
  | (typeof SYMBOL_OPERATORS)[number]
  | (typeof PUNCTUATION)[number];

export interface Token {
  readonly type: TokenType;
  /** As written. */
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

export const WORDS: ReadonlySet<string> = new Set([...WORD_OPERATORS, ...AGGREGATORS, ...KEYWORDS, ...PREPROCESSORS]);
export const AGGREGATOR_WORDS: ReadonlySet<string> = new Set(AGGREGATORS);
const KEYWORD_WORDS: ReadonlySet<string> = new Set(KEYWORDS);
const OPERATORS: ReadonlySet<string> = new Set([...WORD_OPERATORS, ...SYMBOL_OPERATORS]);

/** Words that the grammar does not take as the name of a metric. */
const NOT_METRIC_NAMES: ReadonlySet<string> = new Set(['atan2', 'bool', 'group_left', 'group_right', 'ignoring', 'on']);

export function isMetricName(type: TokenType): boolean {
  return type === 'IDENTIFIER' || type === 'METRIC_IDENTIFIER' || (WORDS.has(type) && !NOT_METRIC_NAMES.has(type));
}

const EXPRESSION_STARTS: ReadonlySet<TokenType> = new Set(['NUMBER', 'DURATION', 'STRING', '(', '{', '+', '-']);

export function beginsExpression(type: TokenType): boolean {
  return EXPRESSION_STARTS.has(type) || isMetricName(type);
}

/** Every word but `without` may name a label in a grouping. */
export function isLabelName(type: TokenType): boolean {
  return type === 'IDENTIFIER' || type === 'METRIC_IDENTIFIER' || (WORDS.has(type) && type !== 'without');
}

/** A token as "unexpected …" messages name it (Prometheus `Item.desc`). */
export function describe(token: Token): string {
  const { type, text } = token;
  if (type === 'EOF') return 'end of input';
  if (type === 'IDENTIFIER') return `identifier ${quote(text)}`;
  if (type === 'METRIC_IDENTIFIER') return `metric identifier ${quote(text)}`;
  if (type === 'NUMBER' || type === 'DURATION' || type === 'STRING') return `${type.toLowerCase()} ${shortQuote(text)}`;
  if (KEYWORD_WORDS.has(type)) return `<${text}>`;
  if (OPERATORS.has(type)) return `<op:${text}>`;
  if (AGGREGATOR_WORDS.has(type)) return `<aggr:${text}>`;
  return shortQuote(text);
}

function shortQuote(text: string): string {
  const chars = Array.from(text);
  return chars.length > 10 ? `${quote(chars.slice(0, 10).join(''))}...` : quote(text);
}
