import { quote } from '../../model/index.ts';
import { ParseError } from './parse-error.ts';
import { type Token, type TokenType, WORDS, type WordToken } from './tokens.ts';

const DURATION_WORDS: ReadonlySet<string> = new Set(['step', 'range', 'max_of', 'min_of']);
const SYMBOLS_IN_DURATIONS = '()+-*/%^,';

/**
 * Splits a query into tokens, on demand, with Prometheus's states (`promql/parser/lex.go`): inside braces words are
 * plain identifiers, inside brackets only a duration expression is allowed.
 */
export class Lexer {
  readonly #input: string;
  /** Next character to read. */
  #pos = 0;
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
  }

  /** @throws ParseError where no token can be read. At the end it returns EOF, again and again. */
  next(): Token {
    this.#skipBlanks();
    this.#start = this.#pos;
    if (this.#braceOpen) return this.#insideBraces();
    if (this.#inDurationStart) return this.#insideBrackets();
    return this.#statement();
  }

  #skipBlanks(): void {
    const input = this.#input;
    for (;;) {
      const char = input[this.#pos];
      if (char === ' ' || char === '\t' || char === '\n' || char === '\r') this.#pos++;
      else if (char === '#' && !this.#inDurationStart) {
        while (this.#pos < input.length && !'\r\n'.includes(input[this.#pos]!)) this.#pos++;
      } else return;
    }
  }

  #peek(): string {
    return this.#input[this.#pos] ?? '';
  }

  #emit(type: TokenType): Token {
    const text = this.#input.slice(this.#start, this.#pos);
    return { type, text, start: this.#start, end: this.#pos };
  }

  #symbol(type: TokenType): Token {
    this.#pos = this.#start + type.length;
    return this.#emit(type);
  }

  #fail(reason: string, start = this.#start): never {
    throw new ParseError(this.#input, { start, end: this.#input.length }, reason);
  }

  #statement(): Token {
    const char = this.#peek();
    const following = this.#input[this.#pos + 1] ?? '';
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
          this.#fail(`unexpected character after '!': ${this.#quoteChar(this.#pos + 1)}`);
        }
        return this.#symbol('!=');
      case '<':
      case '>':
        if (following === '=' || following === '/') return this.#symbol(`${char}${following}`);
        return this.#symbol(char);
      case '"':
      case "'":
        return this.#string(char);
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
    return this.#fail(`unexpected character: ${this.#quoteChar(this.#pos)}`);
  }

  #closeParen(): Token {
    this.#parenDepth--;
    if (this.#parenDepth < 0) this.#fail(`unexpected right parenthesis ')'`, this.#pos + 1);
    return this.#symbol(')');
  }

  #insideBraces(): Token {
    const char = this.#peek();
    const following = this.#input[this.#pos + 1] ?? '';
    switch (char) {
      case '':
        return this.#fail('unexpected end of input inside braces');
      case ',':
        return this.#symbol(',');
      case '"':
      case "'":
        return this.#string(char);
      case '`':
        return this.#rawString();
      case '=':
        return this.#symbol(following === '~' ? '=~' : '=');
      case '!':
        if (following === '~') return this.#symbol('!~');
        if (following === '=') return this.#symbol('!=');
        return this.#fail(`unexpected character after '!' inside braces: ${this.#quoteChar(this.#pos + 1)}`);
      case '{':
        return this.#fail(`unexpected left brace '{'`);
      case '}':
        this.#braceOpen = false;
        return this.#symbol('}');
    }
    if (!isAlpha(char)) return this.#fail(`unexpected character inside braces: ${this.#quoteChar(this.#pos)}`);
    this.#skipWord(false);
    return this.#emit('IDENTIFIER');
  }

  /** From `[` up to and including the first number of the range. */
  #insideBrackets(): Token {
    const char = this.#peek();
    if (char === '') this.#fail('unexpected end of input in duration expression');
    if (char === ']') {
      this.#inDurationStart = false;
      this.#bracketOpen = false;
      return this.#symbol(']');
    }
    if (char === ':') {
      if (!this.#gotDuration) this.#fail('unexpected colon before duration in duration expression', this.#pos + 1);
      if (this.#gotColon) this.#fail('unexpected repeated colon in duration expression', this.#pos + 1);
      this.#gotColon = true;
      return this.#symbol(':');
    }
    if (char === '(') this.#parenDepth++;
    if (char === ')') return this.#closeParen();
    if (SYMBOLS_IN_DURATIONS.includes(char)) return this.#symbol(char as TokenType);
    if (isDigit(char) || (char === '.' && isDigit(this.#input[this.#pos + 1] ?? ''))) {
      this.#gotDuration = true;
      this.#inDurationStart = false;
      return this.#numberOrDuration();
    }
    const word = this.#durationWord();
    if (word === undefined) this.#fail(`unexpected character in duration expression: ${this.#quoteChar(this.#start)}`);
    return word;
  }

  #wordInBrackets(): Token {
    if (this.#peek() === ':') {
      if (this.#gotColon) this.#fail(`unexpected colon ':'`);
      this.#gotColon = true;
      return this.#symbol(':');
    }
    return this.#durationWord() ?? this.#fail(`unexpected character: ${this.#quoteChar(this.#start)}, expected ':'`);
  }

  #durationWord(): Token | undefined {
    while (isAlpha(this.#peek())) this.#pos++;
    const word = this.#input.slice(this.#start, this.#pos).toLowerCase();
    return DURATION_WORDS.has(word) ? this.#emit(word as WordToken) : undefined;
  }

  #word(): Token {
    this.#skipWord(true);
    const text = this.#input.slice(this.#start, this.#pos);
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
    for (;;) {
      const char = this.#peek();
      if (!isAlpha(char) && !isDigit(char) && !(colons && char === ':')) return;
      this.#pos++;
    }
  }

  #parenFollows(): boolean {
    return /^[ \t\r\n]*\(/.test(this.#input.slice(this.#pos));
  }

  #numberOrDuration(): Token {
    if (this.#scanNumber()) return this.#emit('NUMBER');
    if (this.#scanDurationRest()) return this.#emit('DURATION');
    const text = this.#input.slice(this.#start, this.#pos);
    return this.#fail(`bad number or duration syntax: ${JSON.stringify(text)}`);
  }

  /**
   * Reads the unit of the number before, and further numbers with units.
   * @returns whether a duration ended here; if not, the position is behind what Prometheus quotes
   */
  #scanDurationRest(): boolean {
    if (!this.#acceptUnit('smhdwy')) return false;
    while (isDigit(this.#peek())) {
      while (isDigit(this.#peek())) this.#pos++;
      if (!this.#acceptUnit('smhdw')) return false;
    }
    const after = this.#peek();
    if (!isAlpha(after) && !isDigit(after)) return true;
    this.#pos++;
    return false;
  }

  /** Units that do not exist, like `hs`, are found when the duration is parsed. */
  #acceptUnit(units: string): boolean {
    if (!this.#acceptOneOf(units)) return false;
    this.#acceptOneOf('s');
    return true;
  }

  #acceptOneOf(chars: string): boolean {
    const char = this.#peek();
    if (char === '' || !chars.includes(char)) return false;
    this.#pos++;
    return true;
  }

  /**
   * Reads `[.]digits` with at most one dot and one exponent, underscores between digits, or a hexadecimal integer.
   * @returns whether a number ended here; if not, a duration may go on at the current position
   */
  #scanNumber(): boolean {
    let digits = isDigit;
    // A zero in front is passed over, also when no `x` follows: `0.1.2` goes on to be a number that does not parse.
    if (this.#acceptOneOf('0') && this.#acceptOneOf('xX')) {
      this.#acceptOneOf('_');
      digits = isHexDigit;
    }
    const isHex = digits === isHexDigit;
    let dotSeen = false;
    let exponentSeen = false;
    if (this.#peek() === '.') this.#pos++;
    if (digits(this.#peek())) this.#pos++;
    for (;;) {
      const char = this.#peek();
      // Go's scanner looks for a second dot or exponent before it takes the character for a digit.
      const isExponent = char === 'e' || char === 'E';
      if (char === '.') {
        this.#pos++;
        if (dotSeen || this.#acceptOneOf('_.') || isHex) return false;
        dotSeen = true;
      } else if (isExponent) {
        this.#pos++;
        if (exponentSeen) return false;
        exponentSeen = true;
        if (/[+-]/.test(this.#peek())) this.#pos++;
        if (this.#acceptOneOf('._eE') || this.#peek() === '') return false;
      } else if (char === '_') {
        this.#pos++;
        if (this.#acceptOneOf('._eE') || this.#peek() === '') return false;
      } else if (digits(char)) {
        while (digits(this.#peek())) this.#pos++;
      } else break;
    }
    const after = this.#peek();
    return this.#pos > this.#start && !isAlpha(after) && !isDigit(after);
  }

  #string(quoteChar: string): Token {
    this.#pos++;
    for (;;) {
      const char = this.#peek();
      if (char === '' || char === '\n') this.#fail('unterminated quoted string');
      this.#pos++;
      if (char === quoteChar) return this.#emit('STRING');
      if (char === '\\') this.#escape(quoteChar);
    }
  }

  #escape(quoteChar: string): void {
    const char = this.#peek();
    if (char === '') this.#fail('escape sequence not terminated');
    if (char === quoteChar || 'abfnrtv\\'.includes(char)) {
      this.#pos++;
      return;
    }
    const isOctal = char >= '0' && char <= '7';
    const digitCount = isOctal ? 3 : ({ x: 2, u: 4, U: 8 } as Record<string, number>)[char];
    if (digitCount === undefined) this.#fail(`unknown escape sequence ${this.#describeChar()}`);
    if (!isOctal) this.#pos++;
    let code = 0;
    for (let i = 0; i < digitCount; i++) {
      const digit = parseInt(this.#peek(), isOctal ? 8 : 16);
      if (Number.isNaN(digit)) {
        if (this.#peek() === '') this.#fail('escape sequence not terminated');
        this.#fail(`illegal character ${this.#describeChar()} in escape sequence`);
      }
      code = code * (isOctal ? 8 : 16) + digit;
      this.#pos++;
    }
    const max = digitCount <= 3 ? 255 : 0x10ffff;
    if (code > max || (code >= 0xd800 && code < 0xe000)) {
      this.#fail('escape sequence is an invalid Unicode code point');
    }
  }

  #rawString(): Token {
    const end = this.#input.indexOf('`', this.#pos + 1);
    if (end < 0) this.#fail('unterminated raw string');
    this.#pos = end + 1;
    return this.#emit('STRING');
  }

  /** The character at `pos` as Go's %q prints a rune. */
  #quoteChar(pos: number): string {
    const code = this.#input.codePointAt(pos);
    const char = code === undefined ? '\uFFFD' : String.fromCodePoint(code);
    if (char === "'") return String.raw`'\''`;
    return char === '"' ? `'"'` : `'${quote(char).slice(1, -1)}'`;
  }

  /** The current character as Go's %#U prints it: `U+0064 'd'`, without what cannot be printed. */
  #describeChar(): string {
    const char = String.fromCodePoint(this.#input.codePointAt(this.#pos)!);
    const code = `U+${char.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`;
    const isPrintable = char === '"' || char === '\\' || quote(char) === `"${char}"`;
    return isPrintable ? `${code} '${char}'` : code;
  }
}

function isDigit(char: string): boolean {
  return char >= '0' && char <= '9' && char.length === 1;
}

function isHexDigit(char: string): boolean {
  return /^[0-9a-fA-F]$/.test(char);
}

function isAlpha(char: string): boolean {
  return char === '_' || (char >= 'a' && char <= 'z') || (char >= 'A' && char <= 'Z');
}
