import { type Cursor, isAlphanumeric, isDigit, isHexDigit } from './cursor.ts';

/**
 * Reads `[.]digits` with at most one dot and one exponent, underscores between digits, or a hexadecimal integer
 * (`scanNumber` of `promql/parser/lex.go`).
 * @returns whether a number ended here; if not, a duration may go on at the cursor
 */
export function scanNumber(cursor: Cursor): boolean {
  const start = cursor.pos;
  let digits = isDigit;
  // A zero in front is passed over, also when no `x` follows: `0.1.2` goes on to be a number that does not parse.
  if (cursor.accept('0') && cursor.accept('xX')) {
    cursor.accept('_');
    digits = isHexDigit;
  }
  const isHex = digits === isHexDigit;
  let dotSeen = false;
  let exponentSeen = false;
  cursor.accept('.');
  if (digits(cursor.peek())) cursor.pos++;
  for (;;) {
    // Go's scanner looks for a second dot or exponent before it takes the character for a digit.
    if (cursor.accept('.')) {
      if (dotSeen || cursor.accept('_.') || isHex) return false;
      dotSeen = true;
    } else if (cursor.accept('eE')) {
      if (exponentSeen) return false;
      exponentSeen = true;
      cursor.accept('+-');
      if (cursor.accept('._eE') || cursor.peek() === '') return false;
    } else if (cursor.accept('_')) {
      if (cursor.accept('._eE') || cursor.peek() === '') return false;
    } else if (digits(cursor.peek())) cursor.acceptRun(digits);
    else break;
  }
  return cursor.pos > start && !isAlphanumeric(cursor.peek());
}

/**
 * Reads the unit of the number before, and further numbers with units (`acceptRemainingDuration`).
 * @returns whether a duration ended here; if not, the cursor is behind what Prometheus quotes
 */
export function scanDurationRest(cursor: Cursor): boolean {
  if (!acceptUnit(cursor, 'smhdwy')) return false;
  while (isDigit(cursor.peek())) {
    cursor.acceptRun(isDigit);
    if (!acceptUnit(cursor, 'smhdw')) return false;
  }
  if (!isAlphanumeric(cursor.peek())) return true;
  cursor.pos++;
  return false;
}

/** Units that do not exist, like `hs`, are found when the duration is parsed. */
function acceptUnit(cursor: Cursor, units: string): boolean {
  if (!cursor.accept(units)) return false;
  cursor.accept('s');
  return true;
}
