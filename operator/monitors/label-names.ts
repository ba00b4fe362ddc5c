/** The label that a Kubernetes label or annotation name becomes in Prometheus: anything else than `[a-zA-Z0-9_]` is `_`. */
export function sanitizeLabelName(name: string): string {
  return name.replaceAll(/[^a-zA-Z0-9_]/gu, '_');
}
