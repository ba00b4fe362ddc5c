import { readdirSync, readFileSync } from 'node:fs';
import { seededRandom } from '../../../lib/env/index.ts';
import { complianceQueries } from '../promql-compliance/queries.ts';
import { parseScript } from '../promqltest/script.ts';

const SCRIPTS = new URL('../promqltest/data/', import.meta.url);

/** Every query of the promqltest scripts and of the compliance test, once. */
export function knownQueries(): string[] {
  const scripted = readdirSync(SCRIPTS).flatMap((name) =>
    parseScript(readFileSync(new URL(name, SCRIPTS), 'utf8')).flatMap((command) =>
      command.kind === 'eval' ? [command.query] : [],
    ),
  );
  return [...new Set([...scripted, ...complianceQueries().map(({ query }) => query)])];
}

const WORDS =
  'foo bar a:b sum topk by without on ignoring group_left group_right bool offset start end step range min_of max_of fill ' +
  'fill_left fill_right anchored smoothed rate time vector scalar info limitk count_values and or unless atan2 absent';
const LITERALS = String.raw`1 0 -1 2.5 1e3 0x1F 5m 1h30m 1m30 10s Inf NaN 1_000 .5 007 0b11 1y "a" 'b' "x.y" "\x41" "\q" é`;
const SYMBOLS = '( ) ( ) { } [ ] , , : = == != =~ !~ < <= > >= </ >/ + - * / % ^ @ # \\ $ "';
const PHRASES =
  '[5m];[5m:1m];[5m:];[step()];{a="b"};{};{__name__="x"};{"a.b", c!~"d|e"};start();end();offset 5m;offset -5m;@ 10;' +
  '@ start();by (a);on (a) group_left (b);`c`;# c\n;\n; ';
const TOKENS = [...WORDS.split(' '), ...LITERALS.split(' '), ...SYMBOLS.split(' '), ...PHRASES.split(';')];
const TOKEN = /[a-zA-Z_:][\w:]*|\d[\w.]*|"[^"]*"|'[^']*'|\s+|[^\s\w]/g;
const OPERATORS = ['+', '/', '^', 'and on (job)', 'or', '* ignoring (a, "x.y") group_left (b)', '> bool', '</', 'unless'];
const LONG_NAME = 'a_metric_with_a_name_so_long_that_not_much_else_finds_room_in_its_line';

/**
 * Queries right and wrong, the same for a seed: sequences of tokens, known queries with a few tokens changed, and known
 * queries put together to long ones.
 */
export function fuzzedQueries(seed: number, count: number): string[] {
  const random = seededRandom(seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  const pick = <T>(list: readonly T[]): T => list[below(list.length)]!;
  const known = knownQueries();
  const sequence = (): string =>
    Array.from({ length: 1 + below(8) }, () => pick(TOKENS)).join(pick([' ', ' ', '']));
  const changed = (): string => {
    const tokens = pick(known).match(TOKEN) ?? [];
    for (let i = below(3); i >= 0; i--) {
      const at = below(tokens.length + 1);
      const inserted = pick(TOKENS);
      if (below(3) === 0) tokens.splice(at, 1);
      else tokens.splice(at, below(2), inserted);
    }
    return tokens.join('');
  };
  const composed = (depth: number): string => {
    const part = (): string => composed(depth - 1 - below(2));
    switch (depth <= 0 ? 0 : below(9)) {
      case 1:
        return `(${part()})`;
      case 2:
        return `${part()} ${pick(OPERATORS)} ${part()}`;
      case 3:
        return `sum ${pick(['', 'by (job, "ü")', 'without (a)', 'by ()'])} (${part()})`;
      case 4:
        return `topk by (a) (${part()}, ${part()})`;
      case 5:
        return `max_over_time((${part()})[1h:${pick(['', '5m', 'step()'])}] ${pick(['', 'offset 1m', '@ 10.1234'])})`;
      case 6:
        return `-${part()}`;
      case 7:
        return `label_replace(${part()}, "dst", "$1", "${LONG_NAME}", "(.*)\\\\.x")`;
      case 8:
        return `rate(${LONG_NAME}{b="c", other=~"a|b", "é.x"!="1"}[5m])`;
      default:
        return pick(known);
    }
  };
  return Array.from({ length: count }, (_, i) => [sequence, changed, changed, () => composed(4)][i % 4]!());
}
