import { Labels, LabelsBuilder, METRIC_NAME, parseFloatStrict, PromletError } from '../../lib/model/index.ts';
import { normalizeFloat } from './float-label.ts';
import { MAX_LABELS, MAX_LINE_BYTES } from './limits.ts';
import { isMetricType, type MetricType } from './metric-type.ts';
import { ascii, decode, goQuote, latin1 } from './page-text.ts';

export type Entry = 'series' | 'help' | 'type' | 'comment' | 'end';

const TAB = 0x09;
const LF = 0x0a;
const SPACE = 0x20;
const QUOTE = 0x22;
const HASH = 0x23;
const COMMA = 0x2c;
const EQUAL = 0x3d;
const BACKSLASH = 0x5c;
const OPEN = 0x7b;
const CLOSE = 0x7d;

/** Byte classes of names: 1 starts a label name, 2 starts a metric name only, 4 continues either. */
const CLASS = new Uint8Array(256);
for (let byte = 0; byte < 256; byte++) {
  const char = String.fromCharCode(byte);
  if (/[a-zA-Z_]/.test(char)) CLASS[byte] = 1;
  else if (char === ':') CLASS[byte] = 2;
  else if (/[0-9]/.test(char)) CLASS[byte] = 4;
}

/**
 * Parser of the Prometheus text format 0.0.4 (and of the quoted names of 1.0.0) over bytes; accepts and rejects what
 * Prometheus `model/textparse/promparse.go` does, with its reasons behind a line number. One difference: a NUL at the
 * start of a line is an error, where Prometheus silently takes it for the end.
 *
 * The page must end with a line feed. After `next()` said `series`, `seriesStart` … `seriesEnd` are the bytes of the
 * series, `value` and `timestampMs` those of the sample, and `labels()` builds its label set.
 */
export class ExpositionParser {
  /** The next line begins here. */
  position = 0;
  seriesStart = 0;
  seriesEnd = 0;
  value = 0;
  timestampMs: number | undefined = undefined;
  /** Of the last `# TYPE` line; labels `le` and `quantile` are normalised by it, even in another family. */
  type: MetricType | undefined = undefined;
  /** Metric name and text of the last metadata line. */
  metadataName = '';
  metadataText = '';

  #bytes: Uint8Array = new Uint8Array(0);
  #start = 0;
  #end = 0;
  #lineStart = 0;
  #at = 0;
  #nameStart = -1;
  #nameEnd = -1;
  /** Name start, name end, value start, value end of each label. */
  readonly #labels: number[] = [];

  /** Bytes [start, end) hold the page. */
  reset(bytes: Uint8Array, start: number, end: number): void {
    this.#bytes = bytes;
    this.#start = start;
    this.#end = end;
    this.position = start;
    this.type = undefined;
  }

  /** @throws PromletError `scrape/parse` naming line and reason */
  next(): Entry {
    const bytes = this.#bytes;
    for (;;) {
      const start = this.position;
      if (start >= this.#end) return 'end';
      this.#lineStart = start;
      this.#at = start;
      this.#skipBlanks();
      const byte = bytes[this.#at]!;
      if (byte === LF) {
        this.position = this.#at + 1;
        continue;
      }
      if (byte === HASH) return this.#comment();
      this.#labels.length = 0;
      this.#nameStart = -1;
      this.#nameEnd = -1;
      if (byte === OPEN) {
        this.#at++;
        this.#parseLabels();
        this.seriesStart = start;
        this.seriesEnd = this.#at;
      } else if ((CLASS[byte]! & 3) !== 0) {
        // As in Prometheus, blanks before a name belong to the series.
        const nameStart = this.#at;
        this.#skipName(3);
        this.#nameStart = nameStart;
        this.#nameEnd = this.#at;
        this.seriesStart = start;
        this.seriesEnd = this.#at;
        this.#skipBlanks();
        if (bytes[this.#at] === OPEN) {
          this.#at++;
          this.#parseLabels();
          this.seriesEnd = this.#at;
        }
      } else {
        this.#unexpected('expected a valid start token');
      }
      this.#parseSuffix();
      return 'series';
    }
  }

  /** Where the line of the last entry begins. */
  get lineStart(): number {
    return this.#lineStart;
  }

  /** The labels of the series just parsed. @throws PromletError `scrape/parse` for invalid UTF-8 and duplicate names */
  labels(): Labels {
    const builder = new LabelsBuilder();
    const offsets = this.#labels;
    builder.set(METRIC_NAME, this.#text(this.#nameStart, this.#nameEnd));
    const names = new Set([METRIC_NAME]);
    for (let i = 0; i < offsets.length; i += 4) {
      const name = this.#text(offsets[i]!, offsets[i + 1]!);
      if (names.has(name)) this.#fail(`label name "${name}" is not unique: invalid sample`);
      names.add(name);
      builder.set(name, normalizeFloat(this.type, name, this.#text(offsets[i + 2]!, offsets[i + 3]!)));
    }
    return builder.labels();
  }

  /** Names of the labels of the series just parsed whose value is ''; `labels()` does not hold those. */
  emptyLabelNames(): ReadonlySet<string> {
    const offsets = this.#labels;
    const names = new Set<string>();
    for (let i = 0; i < offsets.length; i += 4) {
      if (offsets[i + 2] === offsets[i + 3]) names.add(this.#text(offsets[i]!, offsets[i + 1]!));
    }
    return names;
  }

  #comment(): Entry {
    const bytes = this.#bytes;
    const lineEnd = this.#lineEnd();
    this.position = lineEnd + 1;
    this.#at++;
    const blanks = this.#at;
    this.#skipBlanks();
    if (this.#at === blanks) return 'comment';
    const keyword = ascii(bytes, this.#at, Math.min(this.#at + 4, lineEnd));
    const separator = bytes[this.#at + 4];
    if ((keyword !== 'HELP' && keyword !== 'TYPE') || (separator !== SPACE && separator !== TAB)) return 'comment';
    this.#at += 4;
    this.#skipBlanks();
    this.#metadataName(keyword);
    const name = this.#at;
    this.#skipBlanks();
    // One byte separates the text, whatever it is.
    const textStart = this.#at >= lineEnd ? lineEnd : name + 1;
    if (keyword === 'TYPE') {
      const text = latin1(bytes, textStart, lineEnd);
      if (!isMetricType(text)) this.#fail(`invalid metric type ${goQuote(bytes, textStart, lineEnd)}`);
      this.type = text;
      this.metadataText = text;
      return 'type';
    }
    const text = decode(bytes, textStart, lineEnd);
    if (text === undefined) {
      this.#fail(`help text ${goQuote(bytes, textStart, lineEnd)} is not a valid utf8 string`);
    }
    this.metadataText = text.replace(/\\[\\n]/g, (escape) => (escape === '\\n' ? '\n' : '\\'));
    return 'help';
  }

  #metadataName(keyword: string): void {
    const start = this.#at;
    if (this.#bytes[start] === QUOTE && this.#skipString()) {
      this.metadataName = this.#text(start + 1, this.#at - 1);
    } else if ((CLASS[this.#bytes[start]!]! & 3) !== 0) {
      this.#skipName(3);
      this.metadataName = ascii(this.#bytes, start, this.#at);
    } else {
      this.#unexpected(`expected metric name after ${keyword}`);
    }
  }

  /** What stands in braces; `#at` is behind the opening brace and ends behind the closing one. */
  #parseLabels(): void {
    const bytes = this.#bytes;
    this.#skipBlanks();
    for (;;) {
      const start = this.#at;
      const byte = bytes[start]!;
      if (byte === CLOSE) {
        this.#at++;
        return;
      }
      let nameStart = start;
      let nameEnd: number;
      if (byte === QUOTE && this.#skipString()) {
        nameEnd = this.#at;
        this.#skipBlanks();
        const after = bytes[this.#at];
        if (after === COMMA || after === CLOSE) {
          this.#at++;
          if (this.#nameStart !== -1) {
            this.#fail(`metric name already set while parsing: ${this.#quoteLine(this.#at)}`);
          }
          this.#nameStart = start + 1;
          this.#nameEnd = nameEnd - 1;
          if (after === CLOSE) return;
          this.#skipBlanks();
          continue;
        }
        nameStart++;
        nameEnd--;
      } else if (CLASS[byte] === 1) {
        this.#skipName(1);
        nameEnd = this.#at;
        this.#skipBlanks();
      } else {
        this.#unexpected('expected label name');
      }
      if (bytes[this.#at] !== EQUAL) this.#unexpected('expected equal');
      this.#at++;
      this.#skipBlanks();
      const valueStart = this.#at;
      if (bytes[valueStart] !== QUOTE || !this.#skipString()) this.#unexpected('expected label value', true);
      // Before the line counts as scraped; names are looked at when the labels are built.
      this.#requireUtf8(valueStart + 1, this.#at - 1);
      if (this.#labels.length >= 4 * MAX_LABELS) this.#fail(`more than ${MAX_LABELS} labels`);
      this.#labels.push(nameStart, nameEnd, valueStart + 1, this.#at - 1);
      if (this.#at - this.#lineStart > MAX_LINE_BYTES) this.#fail(`line longer than ${MAX_LINE_BYTES} bytes`);
      this.#skipBlanks();
      if (bytes[this.#at] === COMMA) {
        this.#at++;
        this.#skipBlanks();
      }
    }
  }

  /** Value, timestamp and the end of the line. */
  #parseSuffix(): void {
    const bytes = this.#bytes;
    if (this.#nameStart === -1) {
      // Prometheus notices after the token behind the braces.
      this.#skipBlanks();
      this.#skipValue();
      this.#fail(`metric name not set while parsing: ${this.#quoteLine(this.#at)}`);
    }
    this.#skipBlanks();
    const valueStart = this.#at;
    this.#skipValue();
    if (this.#at === valueStart) this.#unexpected('expected value after metric');
    const text = latin1(bytes, valueStart, this.#at);
    this.value = this.#parseFloat(text);
    this.#skipBlanks();
    this.timestampMs = undefined;
    const timestampStart = this.#at;
    while (CLASS[bytes[this.#at]!] === 4) this.#at++;
    if (this.#at > timestampStart) {
      this.timestampMs = this.#parseTimestamp(ascii(bytes, timestampStart, this.#at));
      this.#skipBlanks();
      if (bytes[this.#at] !== LF) this.#unexpected('expected next entry after timestamp');
    } else if (bytes[this.#at] !== LF) {
      this.#unexpected('expected timestamp or new record');
    }
    this.position = this.#at + 1;
  }

  #parseFloat(text: string): number {
    if (/[pP_]/.test(text)) this.#fail(`unsupported character in float while parsing: ${this.#quoteLine(this.#at)}`);
    const value = /x/i.test(text) ? undefined : parseFloatStrict(text);
    const special = /[if]/i.test(text);
    if (value === undefined || (!special && Math.abs(value) === Infinity)) {
      const why = value === undefined ? 'invalid syntax' : 'value out of range';
      const quoted = goQuote(Buffer.from(text, 'latin1'), 0, text.length);
      this.#fail(`strconv.ParseFloat: parsing ${quoted}: ${why} while parsing: ${this.#quoteLine(this.#at)}`);
    }
    return value;
  }

  #parseTimestamp(digits: string): number {
    const significant = digits.replace(/^0+/, '').padStart(19, '0');
    if (significant.length > 19 || significant > '9223372036854775807') {
      const quoted = goQuote(Buffer.from(digits), 0, digits.length);
      this.#fail(`strconv.ParseInt: parsing ${quoted}: value out of range while parsing: ${this.#quoteLine(this.#at)}`);
    }
    return Number(digits);
  }

  #skipBlanks(): void {
    const bytes = this.#bytes;
    let at = this.#at;
    while (bytes[at] === SPACE || bytes[at] === TAB) at++;
    this.#at = at;
  }

  #skipName(classes: 1 | 3): void {
    const bytes = this.#bytes;
    const mask = classes | 4;
    let at = this.#at;
    while ((CLASS[bytes[at]!]! & mask) !== 0) at++;
    this.#at = at;
  }

  #skipValue(): void {
    const bytes = this.#bytes;
    let at = this.#at;
    for (; at < this.#end; at++) {
      const byte = bytes[at]!;
      if (byte === SPACE || byte === TAB || byte === LF || byte === OPEN || byte === 0) break;
    }
    this.#at = at;
  }

  /** Moves behind a quoted string; strings may hold line feeds. @returns false, staying, when it does not end */
  #skipString(): boolean {
    const bytes = this.#bytes;
    const end = Math.min(this.#end, this.#at + MAX_LINE_BYTES);
    for (let at = this.#at + 1; at < end; at++) {
      const byte = bytes[at];
      if (byte === QUOTE) {
        this.#at = at + 1;
        return true;
      }
      if (byte === BACKSLASH && bytes[++at] === LF) return false;
    }
    return false;
  }

  #lineEnd(): number {
    const end = this.#bytes.indexOf(LF, this.#at);
    return end < 0 || end >= this.#end ? this.#end - 1 : end;
  }

  /** Most values are ASCII, which a loop tells without making a string. */
  #requireUtf8(start: number, end: number): void {
    const bytes = this.#bytes;
    let at = start;
    while (at < end && bytes[at]! < 0x80) at++;
    if (at < end) this.#text(start, end);
  }

  #text(start: number, end: number): string {
    const text = decode(this.#bytes, start, end);
    if (text === undefined) {
      this.#fail(`invalid UTF-8 label value: ${goQuote(this.#bytes, start - 1, end + 1)}`);
    }
    return text.includes('\\') ? text.replace(/\\["\\n]/g, unescape) : text;
  }

  /** The complaint of Prometheus's `parseError`: what was expected, the token got, the line up to there. */
  #unexpected(expected: string, toEnd = false): never {
    const bytes = this.#bytes;
    const start = this.#at;
    const unterminated = bytes[start] === QUOTE && (toEnd || !this.#skipString());
    this.#at = start;
    if (unterminated) {
      this.#fail(
        `${expected}, got ${goQuote(bytes, start, this.#end)} ("INVALID") while parsing: ${this.#quoteLine(this.#end)}`,
      );
    }
    const [token, tokenEnd] = this.#token(expected);
    const end = Math.min(this.#end, tokenEnd + 1);
    this.#fail(`${expected}, got ${goQuote(bytes, start, end)} ("${token}") while parsing: ${this.#quoteLine(end)}`);
  }

  /** Name and end of the token at `#at` as Prometheus's lexer sees it inside braces; elsewhere all is invalid. */
  #token(expected: string): [name: string, end: number] {
    const start = this.#at;
    if (expected !== 'expected label name' && expected !== 'expected equal') return ['INVALID', start];
    const byte = this.#bytes[start]!;
    if (byte === EQUAL) return ['EQUAL', start + 1];
    if (byte === COMMA) return ['COMMA', start + 1];
    if (byte === CLOSE) return ['BCLOSE', start + 1];
    if (byte === QUOTE && this.#skipString()) return ['QSTRING', this.#at];
    if (CLASS[byte] === 1) {
      this.#skipName(1);
      return ['LNAME', this.#at];
    }
    return ['INVALID', start];
  }

  #quoteLine(end: number): string {
    return goQuote(this.#bytes, this.#lineStart, end);
  }

  #fail(reason: string): never {
    let line = 1;
    for (let at = this.#start; at < this.#lineStart; at++) if (this.#bytes[at] === LF) line++;
    throw new PromletError('scrape/parse', `line ${line}: ${reason}`);
  }
}

function unescape(escape: string): string {
  return escape === '\\n' ? '\n' : escape[1]!;
}
