import { compileRegex, type LinearRegex } from '../model/index.ts';
import { MAX_CACHED_REGEXES } from './limits.ts';

/** The rules of many jobs use the same few patterns, and compiling one costs some 40 µs and 6 kB. */
const cache = new Map<string, LinearRegex>();

/** `compileRegex`, remembering. @throws PromletError `model/bad-regex` */
export function compileShared(pattern: string): LinearRegex {
  const known = cache.get(pattern);
  if (known !== undefined) return known;
  const regex = compileRegex(pattern);
  if (cache.size >= MAX_CACHED_REGEXES) cache.clear();
  cache.set(pattern, regex);
  return regex;
}
