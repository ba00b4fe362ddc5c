/**
 * JSON of a string as Go writes it: bytes that are no UTF-8, which are lone surrogates here, come out as U+FFFD. (JSON
 * alone would write their escapes, which most readers refuse.)
 */
export function stringJson(text: string): string {
  return JSON.stringify(text.isWellFormed() ? text : text.toWellFormed());
}

/** JSON of any small value, its strings as in `stringJson`. */
export function valueJson(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) => (typeof item === 'string' ? item.toWellFormed() : item));
}
