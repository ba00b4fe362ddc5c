/** Longest configuration text read, in UTF-16 units. */
export const MAX_CONFIG_LENGTH = 64 * 1024 * 1024;

/** Longest label value a relabelling rule may build, in UTF-16 units; far above what a scrape accepts. */
export const MAX_RELABELED_VALUE_LENGTH = 1024 * 1024;

/** `modulus` of hashmod: below this, remainders are exact in doubles. */
export const MAX_HASH_MODULUS = 2 ** 45;

/** Most problems reported at once; the rest is counted. */
export const MAX_REPORTED_PROBLEMS = 10;

/** Compiled patterns remembered; the cache starts anew beyond. */
export const MAX_CACHED_REGEXES = 1_024;

/** Heap of the process that reads a configuration; a megabyte of YAML takes about 200. */
export const PROCESS_HEAP_MB = 1_024;

/** A megabyte of YAML takes about a second. */
export const PROCESS_TIMEOUT_MS = 60_000;

/** Of what that process prints when it fails, the end that is reported. */
export const MAX_STDERR_LENGTH = 4_096;
