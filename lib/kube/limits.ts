/** Every limit of this room. */
export const LIMITS = {
  /** One JSON answer; etcd keeps objects below 1.5 MiB, and lists come in pages. */
  responseBytes: 64 << 20,
  /** One line of a watch: one object. */
  watchLineBytes: 8 << 20,
  /** Objects asked for in one page of a list. */
  listPageSize: 500,
  /** From sending a request (not a watch) to the end of its answer. */
  requestTimeoutMs: 30_000,
  /** A kubeconfig or a service account file. */
  configFileBytes: 1 << 20,
} as const;
