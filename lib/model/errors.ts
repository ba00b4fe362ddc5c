/**
 * The one rule for errors. A bug in our code is an `AssertionError` (from `assert`). A fault from outside (a file, a
 * target, a user, the network) is a `PromletError` with a stable `code` and, where there is one, a position.
 * Messages start in lower case, name what and where, and quote the offending input shortened.
 */
export class PromletError extends Error {
  override readonly name: string = 'PromletError';
  /** Stable, machine-readable, `room/what`: `wal/corrupt-record`, `promql/parse`. */
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/** Throws when our own code broke an invariant. Never used to validate input. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** The message of anything that was thrown. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** `text` within `max` characters, for quoting hostile input in a message. */
export function shorten(text: string, max = 120): string {
  return text.length <= max ? text : `${text.slice(0, max)}…`;
}
