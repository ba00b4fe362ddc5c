/** Limits of the agent's own parts; scrape, TSDB, PromQL and API have theirs. */
export const LIMITS = {
  /** The configuration after decompression; a Secret holds 1 MiB of gzip, which could be a bomb. */
  configBytes: 64 << 20,
} as const;
