import type { VectorMatching } from './ast.ts';
import { parseGroupingLabels } from './label-parser.ts';
import { numberLiteral } from './number-literal.ts';
import type { TokenStream } from './token-stream.ts';
import { beginsExpression, type TokenType } from './tokens.ts';

const FILL_WORDS: ReadonlySet<TokenType> = new Set(['fill', 'fill_left', 'fill_right']);

/** What may stand behind a binary operator: `on (job) group_left (x) fill_right (0)`. */
export function parseMatching(query: string, tokens: TokenStream): VectorMatching {
  const on = tokens.is('on');
  let labels: string[] = [];
  let include: string[] = [];
  let cardinality: VectorMatching['cardinality'] = 'one-to-one';
  if (tokens.accept('on', 'ignoring') !== undefined) {
    labels = parseGroupingLabels(query, tokens);
    const group = tokens.accept('group_left', 'group_right');
    if (group !== undefined) {
      cardinality = group.type === 'group_left' ? 'many-to-one' : 'one-to-many';
      const { type } = tokens.current;
      if (type === '(' || !(beginsExpression(type) || FILL_WORDS.has(type))) {
        include = parseGroupingLabels(query, tokens);
      }
    }
  }
  return { cardinality, labels, on, include, ...parseFillValues(query, tokens) };
}

function parseFillValues(
  query: string,
  tokens: TokenStream,
): { fillLeft: number | undefined; fillRight: number | undefined } {
  if (tokens.accept('fill') !== undefined) {
    const fill = parseFillValue(query, tokens);
    return { fillLeft: fill, fillRight: fill };
  }
  const fills: { fill_left?: number; fill_right?: number } = {};
  let word = tokens.accept('fill_left', 'fill_right');
  while (word !== undefined) {
    fills[word.type as 'fill_left' | 'fill_right'] = parseFillValue(query, tokens);
    word = tokens.accept(word.type === 'fill_left' ? 'fill_right' : 'fill_left');
    if (fills.fill_left !== undefined && fills.fill_right !== undefined) break;
  }
  return { fillLeft: fills.fill_left, fillRight: fills.fill_right };
}

function parseFillValue(query: string, tokens: TokenStream): number {
  tokens.expect('(');
  const sign = tokens.accept('+', '-');
  const token = tokens.current;
  if (token.type !== 'NUMBER' && token.type !== 'DURATION') tokens.unexpected();
  tokens.advance();
  const { value } = numberLiteral(query, token);
  tokens.expect(')');
  return sign?.type === '-' ? -value : value;
}
