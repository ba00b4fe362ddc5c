import {
  formatOpenMetricsFloat,
  Labels,
  LabelsBuilder,
  METRIC_NAME,
  METRIC_TYPES,
  parseFloatStrict,
  PromletError,
  shorten,
} from '../../lib/model/index.ts';

/** What a line was. */
export type OpenMetricsEntry = 'series' | 'metadata' | 'end';

const SPACE = 0x20;
const QUOTE = 0x22;
const HASH = 0x23;
const COMMA = 0x2c;
const EQUAL = 0x3d;
const BACKSLASH = 0x5c;
const OPEN = 0x7b;
const CLOSE = 0x7d;

const NAME_START = 1;
const METRIC_START = 2;
const DIGIT = 4;
/** By byte, what it may do in a name. */
const CLASS = new Uint8Array(256);
for (let byte = 0; byte < 128; byte++) {
  const char = String.fromCharCode(byte);
  if (/[a-zA-Z_]/.test(char)) CLASS[byte] = NAME_START | METRIC_START;
  else if (char === ':') CLASS[byte] = METRIC_START;
  else if (/[0-9]/.test(char)) CLASS[byte] = DIGIT;
}

const text = new TextDecoder('utf-8', { ignoreBOM: true });
const strictText = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true });

/**
 * Parser of OpenMetrics 1.0 text, line by line over bytes; it takes and refuses what Prometheus's does
 * (model/textparse/openmetricsparse.go and openmetricslex.l), but for quoted names that hold a line feed. After `line`
 * said `series`, the fields are of that sample; exemplars are checked and passed over.
 */
export class OpenMetricsParser {
  seriesStart = 0;
  seriesEnd = 0;
  value = 0;
  timestampMs: number | undefined = undefined;
  /** Of the last `# TYPE` line: `le` and `quantile` are spelled by it. Can be set, to go on in the middle of a file. */
  type = '';
  /** Of the line last parsed, from 1. */
  lineNumber = 0;

  #bytes: Uint8Array = new Uint8Array(0);
  #end = 0;
  #at = 0;
  #ended = false;
  // Offsets behind the start of the line: those of the next line hold for it too when its series is the same.
  #nameStart = -1;
  #nameEnd = -1;
  /** Name start, name end, value start, value end of each label. */
  readonly #labels: number[] = [];
  #lastSeries: Uint8Array = new Uint8Array(1024);
  #lastLength = 0;

  /**
   * Parses the line at [start, end), without its line feed.
   * @param complete whether a line feed follows; without one only `# EOF` is whole
   * @throws PromletError `openmetrics/parse` naming line and reason
   */
  line(bytes: Uint8Array, start: number, end: number, complete: boolean): OpenMetricsEntry {
    this.lineNumber++;
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
    if (this.#ended) this.#fail('unexpected data after # EOF');
    if (bytes[start] === HASH && start < end) return this.#metadata(complete);
    this.seriesStart = start;
    this.#sample();
    if (!complete) this.#fail('data does not end with # EOF');
    return 'series';
  }

  /** To be called behind the last line. @throws PromletError `openmetrics/parse` */
  finish(): void {
    this.lineNumber++;
    if (!this.#ended) this.#fail('data does not end with # EOF');
  }

  /** The labels of the series just parsed. @throws PromletError `openmetrics/parse` for a name that is there twice */
  labels(): Labels {
    const builder = new LabelsBuilder();
    const offsets = this.#labels;
    builder.set(METRIC_NAME, this.#unescaped(this.#nameStart, this.#nameEnd));
    const names = new Set([METRIC_NAME]);
    for (let i = 0; i < offsets.length; i += 4) {
      const name = this.#unescaped(offsets[i]!, offsets[i + 1]!);
      if (names.has(name)) this.#fail(`label name "${shorten(name)}" is not unique: invalid sample`);
      names.add(name);
      builder.set(name, this.#normalized(name, this.#unescaped(offsets[i + 2]!, offsets[i + 3]!)));
    }
    return builder.labels();
  }

  #normalized(name: string, value: string): string {
    const applies = (this.type === 'summary' && name === 'quantile') || (this.type === 'histogram' && name === 'le');
    const number = applies ? parseFloatStrict(value) : undefined;
    return number === undefined ? value : formatOpenMetricsFloat(number);
  }

  #metadata(complete: boolean): OpenMetricsEntry {
    const start = this.#at;
    const keyword = this.#latin1(start, Math.min(start + 7, this.#end));
    if (keyword.startsWith('# EOF')) {
      if (this.#end > start + 5) this.#fail('unexpected data after # EOF');
      this.#ended = true;
      return 'end';
    }
    if (keyword !== '# HELP ' && keyword !== '# TYPE ' && keyword !== '# UNIT ') {
      this.#fail(`expected a valid start token, got ${this.#quoted(start)}`);
    }
    this.#at = start + 7;
    const [nameStart, nameEnd] = this.#metadataName();
    if (this.#at >= this.#end || this.#bytes[this.#at] !== SPACE || !complete) {
      this.#fail(`expected text in ${keyword.slice(2, 6)}`);
    }
    const textStart = this.#at + 1;
    if (keyword === '# TYPE ') {
      const type = this.#latin1(textStart, this.#end);
      if (!METRIC_TYPES.includes(type)) this.#fail(`invalid metric type "${shorten(type)}"`);
      this.type = type;
    } else if (keyword === '# HELP ') {
      this.#requireUtf8(textStart, this.#end, 'help text');
    } else if (textStart < this.#end) {
      const unit = this.#latin1(textStart, this.#end);
      const name = this.#latin1(nameStart, nameEnd);
      if (!name.endsWith(`_${unit}`)) this.#fail(`unit "${shorten(unit)}" not a suffix of metric "${shorten(name)}"`);
    }
    return 'metadata';
  }

  #metadataName(): [start: number, end: number] {
    const start = this.#at;
    if (this.#byte() === QUOTE) {
      this.#skipString('metric name');
      return [start + 1, this.#at - 1];
    }
    this.#skipName(METRIC_START, 'metric name');
    return [start, this.#at];
  }

  #sample(): void {
    if (!this.#isLastSeries()) this.#series();
    this.seriesEnd = this.#at;
    this.value = this.#number('value after metric');
    this.timestampMs = undefined;
    if (this.#at < this.#end && !this.#exemplarFollows()) {
      const seconds = this.#number('timestamp');
      if (!Number.isFinite(seconds)) this.#fail(`invalid timestamp ${seconds}`);
      this.timestampMs = Math.trunc(seconds * 1000);
    }
    if (this.#at >= this.#end) return;
    if (!this.#exemplarFollows()) this.#fail(`expected next entry after timestamp, got ${this.#quoted(this.#at)}`);
    this.#at += 4;
    this.#exemplar();
    if (this.#at < this.#end) this.#fail(`expected next entry after exemplar, got ${this.#quoted(this.#at)}`);
  }

  /** Most lines name the series of the line before: then it is passed over. */
  #isLastSeries(): boolean {
    const length = this.#lastLength;
    const start = this.#at;
    if (length === 0 || start + length >= this.#end || this.#bytes[start + length] !== SPACE) return false;
    const bytes = this.#bytes;
    const last = this.#lastSeries;
    // Series that follow each other differ at the end.
    for (let i = length - 1; i >= 0; i--) if (last[i] !== bytes[start + i]) return false;
    this.#at = start + length;
    return true;
  }

  #series(): void {
    const start = this.#at;
    this.#lastLength = 0;
    this.#labels.length = 0;
    this.#nameStart = -1;
    if (this.#byte() === OPEN) {
      this.#at++;
      this.#parseLabels(true);
    } else {
      this.#nameStart = 0;
      this.#skipName(METRIC_START, 'a valid start token');
      this.#nameEnd = this.#at - start;
      if (this.#byte() === OPEN) {
        this.#at++;
        this.#parseLabels(true);
      }
    }
    if (this.#nameStart < 0) this.#fail('metric name not set');
    const length = this.#at - start;
    if (length > this.#lastSeries.length) this.#lastSeries = new Uint8Array(2 * length);
    this.#lastSeries.set(this.#bytes.subarray(start, this.#at));
    this.#lastLength = length;
  }

  #exemplarFollows(): boolean {
    const bytes = this.#bytes;
    const at = this.#at;
    return (
      this.#end - at >= 4 &&
      bytes[at] === SPACE &&
      bytes[at + 1] === HASH &&
      bytes[at + 2] === SPACE &&
      bytes[at + 3] === OPEN
    );
  }

  #exemplar(): void {
    this.#parseLabels(false);
    this.#number('value after exemplar labels');
    if (this.#at < this.#end) {
      const seconds = this.#number('timestamp of the exemplar');
      if (!Number.isFinite(seconds)) this.#fail(`invalid exemplar timestamp ${seconds}`);
    }
  }

  /** What stands in braces, blanks allowed nowhere; `#at` is behind the opening brace and ends behind the closing one. */
  #parseLabels(ofSeries: boolean): void {
    for (;;) {
      let nameStart = this.#at;
      let nameEnd: number;
      const byte = this.#byte();
      if (byte === CLOSE) {
        this.#at++;
        return;
      }
      if (byte === QUOTE) {
        this.#skipString('label name');
        nameEnd = this.#at - 1;
        nameStart++;
        const after = this.#byte();
        if (after === COMMA || after === CLOSE) {
          // A quoted string on its own is the metric's name.
          if (!ofSeries) this.#fail('expected equal');
          if (this.#nameStart >= 0) this.#fail('metric name already set');
          this.#nameStart = nameStart - this.seriesStart;
          this.#nameEnd = nameEnd - this.seriesStart;
          this.#at++;
          if (after === CLOSE) return;
          continue;
        }
      } else {
        this.#skipName(NAME_START, 'label name');
        nameEnd = this.#at;
      }
      if (this.#byte() !== EQUAL) this.#fail(`expected equal, got ${this.#quoted(this.#at)}`);
      this.#at++;
      const valueStart = this.#at;
      if (this.#byte() !== QUOTE) this.#fail(`expected label value, got ${this.#quoted(valueStart)}`);
      this.#skipString('label value');
      this.#requireUtf8(valueStart + 1, this.#at - 1, 'label value');
      const origin = this.seriesStart;
      if (ofSeries) {
        this.#labels.push(nameStart - origin, nameEnd - origin, valueStart + 1 - origin, this.#at - 1 - origin);
      }
      if (this.#byte() === COMMA) this.#at++;
      else if (this.#byte() !== CLOSE) this.#fail(`expected comma or brace close, got ${this.#quoted(this.#at)}`);
    }
  }

  /** One blank and a float up to the next blank. */
  #number(expected: string): number {
    const bytes = this.#bytes;
    const start = this.#at + 1;
    let at = start;
    if (this.#byte() === SPACE) while (at < this.#end && bytes[at] !== SPACE) at++;
    if (at === start) this.#fail(`expected ${expected}, got ${this.#quoted(this.#at)}`);
    this.#at = at;
    const short = shortDecimal(bytes, start, at);
    if (short === short) return short;
    const digits = this.#latin1(start, at);
    const value = /[pPxX_]/.test(digits) ? undefined : parseFloatStrict(digits);
    const outOfRange = value !== undefined && Math.abs(value) === Infinity && !/[iI]/.test(digits);
    if (value === undefined || outOfRange) {
      this.#fail(`${JSON.stringify(shorten(digits))}: ${outOfRange ? 'value out of range' : 'not a number'}`);
    }
    return value;
  }

  /** -1 at the end of the line. */
  #byte(): number {
    return this.#at < this.#end ? this.#bytes[this.#at]! : -1;
  }

  #skipName(starts: number, expected: string): void {
    const start = this.#at;
    if (this.#at >= this.#end || (CLASS[this.#bytes[start]!]! & starts) === 0) {
      this.#fail(`expected ${expected}, got ${this.#quoted(start)}`);
    }
    let at = start + 1;
    while (at < this.#end && (CLASS[this.#bytes[at]!]! & (starts | DIGIT)) !== 0) at++;
    this.#at = at;
  }

  #skipString(expected: string): void {
    const bytes = this.#bytes;
    for (let at = this.#at + 1; at < this.#end; at++) {
      if (bytes[at] === BACKSLASH) at++;
      else if (bytes[at] === QUOTE) {
        this.#at = at + 1;
        return;
      }
    }
    this.#fail(`expected ${expected}, got ${this.#quoted(this.#at)}`);
  }

  #requireUtf8(start: number, end: number, what: string): void {
    const bytes = this.#bytes;
    let at = start;
    while (at < end && bytes[at]! < 0x80) at++;
    if (at === end) return;
    try {
      strictText.decode(bytes.subarray(start, end));
    } catch {
      this.#fail(`invalid UTF-8 in ${what}: ${this.#quoted(start)}`);
    }
  }

  /** @param start behind the start of the line */
  #unescaped(start: number, end: number): string {
    const plain = text.decode(this.#bytes.subarray(this.seriesStart + start, this.seriesStart + end));
    return plain.includes('\\') ? plain.replace(/\\["\\n]/g, unescape) : plain;
  }

  #latin1(start: number, end: number): string {
    const bytes = this.#bytes;
    if (end - start > 24) return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
    let out = '';
    for (let at = start; at < end; at++) out += String.fromCharCode(bytes[at]!);
    return out;
  }

  #quoted(from: number): string {
    return JSON.stringify(shorten(text.decode(this.#bytes.subarray(from, Math.min(this.#end, from + 200)))));
  }

  #fail(reason: string): never {
    throw new PromletError('openmetrics/parse', `line ${this.lineNumber}: ${reason}`);
  }
}

function unescape(escape: string): string {
  return escape === '\\n' ? '\n' : escape[1]!;
}

/** What divides numbers of so many digits exactly as reading them would round. */
const POWERS_OF_TEN = Array.from({ length: 16 }, (_, i) => 10 ** i);

/** A plain decimal of at most 15 digits, which is most of all numbers; NaN for anything else. */
function shortDecimal(bytes: Uint8Array, start: number, end: number): number {
  if (end - start > 16) return NaN;
  let value = 0;
  let point = -1;
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    if (byte >= 0x30 && byte <= 0x39) value = value * 10 + (byte - 0x30);
    else if (byte === 0x2e && point < 0) point = at;
    else return NaN;
  }
  const digits = end - start - (point < 0 ? 0 : 1);
  if (digits === 0 || digits > 15) return NaN;
  return point < 0 ? value : value / POWERS_OF_TEN[end - point - 1]!;
}
