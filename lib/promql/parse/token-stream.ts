import { Lexer } from './lexer.ts';
import { ParseError } from './parse-error.ts';
import { describe, type Token, type TokenType } from './tokens.ts';

/** Where the parser is, for "unexpected … in `context`, expected `expected`". */
export interface SyntaxContext {
  readonly context: string;
  readonly expected: string;
}

/**
 * The tokens of a query, with the messages for those that do not fit. A token is read when it is looked at, not before:
 * what is wrong with the text in front of it is found first, as by Prometheus's parser.
 */
export class TokenStream {
  readonly #query: string;
  readonly #lexer: Lexer;
  #current: Token | undefined;
  #peeked: Token | undefined;
  #context: SyntaxContext | undefined;
  /** End of the token consumed last. */
  previousEnd = 0;

  constructor(query: string) {
    this.#query = query;
    this.#lexer = new Lexer(query);
  }

  get current(): Token {
    return (this.#current ??= this.#lexer.next());
  }

  /** The token behind the current one. */
  peek(): Token {
    this.#current ??= this.#lexer.next();
    return (this.#peeked ??= this.#lexer.next());
  }

  is(type: TokenType): boolean {
    return this.current.type === type;
  }

  advance(): Token {
    const token = this.current;
    this.previousEnd = token.end;
    this.#current = this.#peeked;
    this.#peeked = undefined;
    return token;
  }

  accept(...types: readonly TokenType[]): Token | undefined {
    return types.includes(this.current.type) ? this.advance() : undefined;
  }

  /** @throws ParseError when the current token is another */
  expect(type: TokenType, context?: SyntaxContext): Token {
    if (this.current.type !== type) this.unexpected(context);
    return this.advance();
  }

  /** Runs `parse`; syntax errors without a context of their own are reported in this one. */
  within<T>(context: SyntaxContext, parse: () => T): T {
    const outer = this.#context;
    this.#context = context;
    const result = parse();
    this.#context = outer;
    return result;
  }

  unexpected(context: SyntaxContext | undefined = this.#context): never {
    let reason = `unexpected ${describe(this.current)}`;
    if (context !== undefined && context.context !== '') reason += ` in ${context.context}`;
    if (context !== undefined && context.expected !== '') reason += `, expected ${context.expected}`;
    throw new ParseError(this.#query, this.current, reason);
  }
}
