/**
 * The leaves of the schema. YAML is read with all plain scalars as text (see parse.ts), so each field decides here what its
 * text means, as in Go: `job_name: 123` is a name, `port: 80` a number. An explicit null is the zero value of its type.
 */
import { z } from 'zod';
import { errorMessage, parseDuration, parseFloatStrict, shorten } from '../model/index.ts';
import { parseSize } from './size.ts';

function leaf<T>(what: string, zero: T, convert: (text: string) => T | undefined) {
  return z.unknown().transform((value, context): T => {
    if (value === null) return zero;
    try {
      const converted = typeof value === 'string' ? convert(value) : undefined;
      if (converted !== undefined) return converted;
      context.addIssue({ code: 'custom', message: `not a valid ${what}: ${describe(value)}` });
    } catch (error) {
      context.addIssue({ code: 'custom', message: errorMessage(error) });
    }
    return z.NEVER;
  });
}

function describe(value: unknown): string {
  if (typeof value === 'string') return `"${shorten(value)}"`;
  return Array.isArray(value) ? 'a list' : 'a mapping';
}

const YES = new Set(['y', 'Y', 'yes', 'Yes', 'YES', 'true', 'True', 'TRUE', 'on', 'On', 'ON']);
const NO = new Set(['n', 'N', 'no', 'No', 'NO', 'false', 'False', 'FALSE', 'off', 'Off', 'OFF']);

export const text = leaf('string', '', (value) => value);
/** YAML 1.1 spellings, as the Go parser takes them. */
export const bool = leaf('boolean', false, (value) => (YES.has(value) ? true : NO.has(value) ? false : undefined));
/** Finite, as JSON is: a configuration crosses processes as such. No field has a use for others. */
export const float = leaf('number', 0, (value) => {
  const parsed = parseFloatStrict(value);
  return parsed !== undefined && Number.isFinite(parsed) ? parsed : undefined;
});
export const integer = leaf('integer', 0, (value) => {
  const parsed = /^[+-]?\d[\d_]*$/.test(value) ? Number(value.replaceAll('_', '')) : Number.NaN;
  return Number.isSafeInteger(parsed) ? parsed : undefined;
});
export const count = leaf('non-negative integer', 0, (value) => {
  const parsed = /^\+?\d[\d_]*$/.test(value) ? Number(value.replaceAll('_', '')) : Number.NaN;
  return Number.isSafeInteger(parsed) ? parsed : undefined;
});
/** Text like `1m30s` → milliseconds. */
export const duration = leaf('duration string', 0, parseDuration);

/** Text like `15MB` → bytes. */
export const bytes = leaf('size', 0, parseSize);

/** Something that reads as an absolute or relative URL. */
export const url = leaf('URL', '', (value) => (URL.canParse(value, 'http://base') ? value : undefined));

/** Exactly one of the given words. */
export function word<const Word extends string>(words: readonly Word[], complain: (value: string) => string) {
  return text.transform((value, context): Word => {
    if ((words as readonly string[]).includes(value)) return value as Word;
    context.addIssue({ code: 'custom', message: complain(shorten(value)) });
    return z.NEVER;
  });
}

/** A list; left out or null it is empty. `what` names an item, for the message when one is null. */
export function list<Item extends z.ZodType>(item: Item, what?: string) {
  const items =
    what === undefined
      ? item
      : z
          .unknown()
          .check(notNull(`empty or null ${what}`))
          .pipe(item);
  return z.preprocess((value) => value ?? [], z.array(items as z.ZodType<z.output<Item>>));
}

function notNull(message: string) {
  return z.refine((value) => value !== null, { error: message, abort: true });
}

/** A mapping from text to `value`; left out or null it is empty. */
export function map<Value extends z.ZodType>(value: Value) {
  return z.preprocess((input) => input ?? {}, z.record(z.string(), value));
}

/** A mapping from text to text without prototype, so that `__proto__` is a key like any other. */
export const textMap = z
  .unknown()
  .transform((input, context) => {
    const out = Object.create(null) as Record<string, string>;
    if (typeof input === 'string' || Array.isArray(input)) {
      context.addIssue({ code: 'custom', message: 'expected a mapping' });
      return z.NEVER;
    }
    for (const [key, value] of Object.entries(input ?? {})) {
      const parsed = text.safeParse(value);
      if (parsed.success) out[key] = parsed.data;
      else context.addIssue({ code: 'custom', message: parsed.error.issues[0]!.message, path: [key] });
    }
    return out;
  })
  .prefault(null);

/** An optional section; null counts as left out. */
export function optional<Schema extends z.ZodType>(schema: Schema) {
  return z.preprocess((value) => value ?? undefined, schema.optional());
}

/** A section that is there even when left out: its fields then have their defaults. */
export function section<Schema extends z.ZodType>(schema: Schema) {
  return z.preprocess((value) => value ?? {}, schema);
}
