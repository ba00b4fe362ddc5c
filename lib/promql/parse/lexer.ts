import { Cursor, isAlpha, isAlphanumeric, isDigit } from './cursor.ts';
import { ParseError } from './parse-error.ts';
import { scanDurationRest, scanNumber } from './scan-number.ts';
import { quoteChar, scanRawString, scanString } from './scan-string.ts';
import { type Token, type TokenType, WORDS, type WordToken } from './tokens.ts';

const DURATION_WORDS: ReadonlySet<string> = new Set(['step', 'range', 'max_of', 'min_of']);
const SYMBOLS_IN_DURATIONS = '()+-*/%^,';

/**
 * Splits a query into tokens, on demand, with Prometheus's states (`promql/parser/lex.go`): inside braces words are
 * plain identifiers, inside brackets only a duration expression is allowed.
 */
export class Lexer {
  readonly #input: string;
  readonly #cursor: Cursor;
  /** Start of the token being read. */
  #start = 0;
  #parenDepth = 0;
  #braceOpen = false;
  #bracketOpen = false;
  /** Since the last `[`. */
  #gotColon = false;
  /** A number stood between brackets, these or earlier ones. */
  #gotDuration = false;
  /** Between `[` and the first number, where only durations may stand. */
  #inDurationStart = false;

  constructor(input: string) {
    this.#input = input;
    this.#cursor = new Cursor(input);
  }

  /** @throws ParseError where no token can be read. At the end it returns EOF, again and again. */
  next(): Token {
    this.#skipBlanks();
    this.#start = this.#cursor.pos;
    if (this.#braceOpen) return this.#insideBraces();
    if (this.#inDurationStart) return this.#insideBrackets();
    return this.#statement();
  }

  #skipBlanks(): void {
    const input = this.#input;
    for (;;) {
      const char = input[this.#cursor.pos];
      if (char === ' ' || char === '\t' || char === '\n' || char === '\r') this.#cursor.pos++;
      else if (char === '#' && !this.#inDurationStart) {
        while (this.#cursor.pos < input.length && !'\r\n'.includes(input[this.#cursor.pos]!)) this.#cursor.pos++;
      } else return;
    }
  }

  #emit(type: TokenType): Token {
    const text = this.#input.slice(this.#start, this.#cursor.pos);
    return { type, text, start: this.#start, end: this.#cursor.pos };
  }

  #symbol(type: TokenType): Token {
    this.#cursor.pos = this.#start + type.length;
    return this.#emit(type);
  }

  #fail(reason: string, start = this.#start): never {
    throw new ParseError(this.#input, { start, end: this.#input.length }, reason);
  }

  #statement(): Token {
    const char = this.#cursor.peek();
    const following = this.#input[this.#cursor.pos + 1] ?? '';
    switch (char) {
      case '':
        if (this.#parenDepth !== 0) this.#fail('unclosed left parenthesis');
        if (this.#bracketOpen) this.#fail('unclosed left bracket');
        return this.#emit('EOF');
      case ',':
      case '*':
      case '/':
      case '%':
      case '+':
      case '-':
      case '^':
      case '@':
        return this.#symbol(char);
      case '=':
        if (following === '~') this.#fail(`unexpected character after '=': '~'`);
        return this.#symbol(following === '=' ? '==' : '=');
      case '!':
        if (following !== '=') {
          this.#fail(`unexpected character after '!': ${this.#quoteChar(this.#cursor.pos + 1)}`);
        }
        return this.#symbol('!=');
      case '<':
      case '>':
        if (following === '=' || following === '/') return this.#symbol(`${char}${following}`);
        return this.#symbol(char);
      case '"':
      case "'":
        return this.#string();
      case '`':
        return this.#rawString();
      case '(':
        this.#parenDepth++;
        return this.#symbol('(');
      case ')':
        return this.#closeParen();
      case '{':
        this.#braceOpen = true;
        return this.#symbol('{');
      case '[':
        if (this.#bracketOpen) this.#fail(`unexpected left bracket '['`);
        this.#bracketOpen = true;
        this.#inDurationStart = true;
        this.#gotColon = false;
        return this.#symbol('[');
      case ']':
        if (!this.#bracketOpen) this.#fail(`unexpected right bracket ']'`);
        this.#bracketOpen = false;
        return this.#symbol(']');
    }
    if (isDigit(char) || (char === '.' && isDigit(following))) return this.#numberOrDuration();
    if (isAlpha(char) || char === ':') return this.#bracketOpen ? this.#wordInBrackets() : this.#word();
    return this.#fail(`unexpected character: ${this.#quoteChar(this.#cursor.pos)}`);
  }

  #closeParen(): Token {
    this.#parenDepth--;
    if (this.#parenDepth < 0) this.#fail(`unexpected right parenthesis ')'`, this.#cursor.pos + 1);
    return this.#symbol(')');
  }

  #insideBraces(): Token {
    const char = this.#cursor.peek();
    const following = this.#input[this.#cursor.pos + 1] ?? '';
    switch (char) {
      case '':
        return this.#fail('unexpected end of input inside braces');
      case ',':
        return this.#symbol(',');
      case '"':
      case "'":
        return this.#string();
      case '`':
        return this.#rawString();
      case '=':
        return this.#symbol(following === '~' ? '=~' : '=');
      case '!':
        if (following === '~') return this.#symbol('!~');
        if (following === '=') return this.#symbol('!=');
        return this.#fail(`unexpected character after '!' inside braces: ${this.#quoteChar(this.#cursor.pos + 1)}`);
      case '{':
        return this.#fail(`unexpected left brace '{'`);
      case '}':
        this.#braceOpen = false;
        return this.#symbol('}');
    }
    if (!isAlpha(char)) return this.#fail(`unexpected character inside braces: ${this.#quoteChar(this.#cursor.pos)}`);
    this.#skipWord(false);
    return this.#emit('IDENTIFIER');
  }

  /** From `[` up to and including the first number of the range. */
  #insideBrackets(): Token {
    const char = this.#cursor.peek();
    if (char === '') this.#fail('unexpected end of input in duration expression');
    if (char === ']') {
      this.#inDurationStart = false;
      this.#bracketOpen = false;
      return this.#symbol(']');
    }
    if (char === ':') {
      if (!this.#gotDuration)
        this.#fail('unexpected colon before duration in duration expression', this.#cursor.pos + 1);
      if (this.#gotColon) this.#fail('unexpected repeated colon in duration expression', this.#cursor.pos + 1);
      this.#gotColon = true;
      return this.#symbol(':');
    }
    if (char === '(') this.#parenDepth++;
    if (char === ')') return this.#closeParen();
    if (SYMBOLS_IN_DURATIONS.includes(char)) return this.#symbol(char as TokenType);
    if (isDigit(char) || (char === '.' && isDigit(this.#input[this.#cursor.pos + 1] ?? ''))) {
      this.#gotDuration = true;
      this.#inDurationStart = false;
      return this.#numberOrDuration();
    }
    const word = this.#durationWord();
    if (word === undefined) this.#fail(`unexpected character in duration expression: ${this.#quoteChar(this.#start)}`);
    return word;
  }

  #wordInBrackets(): Token {
    if (this.#cursor.peek() === ':') {
      if (this.#gotColon) this.#fail(`unexpected colon ':'`);
      this.#gotColon = true;
      return this.#symbol(':');
    }
    return this.#durationWord() ?? this.#fail(`unexpected character: ${this.#quoteChar(this.#start)}, expected ':'`);
  }

  #durationWord(): Token | undefined {
    this.#cursor.acceptRun(isAlpha);
    const word = this.#input.slice(this.#start, this.#cursor.pos).toLowerCase();
    return DURATION_WORDS.has(word) ? this.#emit(word as WordToken) : undefined;
  }

  #word(): Token {
    this.#skipWord(true);
    const text = this.#input.slice(this.#start, this.#cursor.pos);
    const word = text.toLowerCase();
    if (word === 'inf' || word === 'nan') return this.#emit('NUMBER');
    if (WORDS.has(word)) {
      // These are young keywords: a metric of that name keeps working.
      const isFill = word === 'fill' || word === 'fill_left' || word === 'fill_right';
      return this.#emit(isFill && !this.#parenFollows() ? 'IDENTIFIER' : (word as WordToken));
    }
    return this.#emit(text.includes(':') ? 'METRIC_IDENTIFIER' : 'IDENTIFIER');
  }

  #skipWord(colons: boolean): void {
    this.#cursor.acceptRun((char) => isAlphanumeric(char) || (colons && char === ':'));
  }

  #parenFollows(): boolean {
    return /^[ \t\r\n]*\(/.test(this.#input.slice(this.#cursor.pos));
  }

  #numberOrDuration(): Token {
    if (scanNumber(this.#cursor)) return this.#emit('NUMBER');
    if (scanDurationRest(this.#cursor)) return this.#emit('DURATION');
    const text = this.#input.slice(this.#start, this.#cursor.pos);
    return this.#fail(`bad number or duration syntax: ${JSON.stringify(text)}`);
  }

  #string(): Token {
    scanString(this.#cursor, (reason) => this.#fail(reason));
    return this.#emit('STRING');
  }

  #rawString(): Token {
    scanRawString(this.#cursor, (reason) => this.#fail(reason));
    return this.#emit('STRING');
  }

  #quoteChar(pos: number): string {
    return quoteChar(this.#input, pos);
  }
}
