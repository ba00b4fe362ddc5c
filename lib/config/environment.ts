const VARIABLE = /\$\(([A-Za-z_][A-Za-z0-9_]*)\)/g;

/**
 * Replaces `$(NAME)` by the variable's value in a text, as Kubernetes does in a pod's args. `$(NAME)` of an unset variable
 * stays as it is, so that nothing is emptied by mistake and other uses of `$` (relabelling's `$1`) are never touched.
 */
export function expandEnvironment(text: string, environment: Readonly<Record<string, string | undefined>>): string {
  return text.replaceAll(VARIABLE, (reference, name: string) =>
    Object.hasOwn(environment, name) ? (environment[name] ?? reference) : reference,
  );
}

const SHELL_VARIABLE = /\$(?:\$|\{([^}]*)\}|([A-Za-z_][A-Za-z0-9_]*))/g;

/** Go's `os.Expand` as Prometheus uses it for external labels: `$NAME`, `${NAME}`; `$$` is `$`; an unset one is ''. */
export function expandVariables(text: string, environment: Readonly<Record<string, string | undefined>>): string {
  return text.replaceAll(SHELL_VARIABLE, (reference, braced?: string, bare?: string) => {
    if (reference === '$$') return '$';
    const name = (braced ?? bare)!;
    return Object.hasOwn(environment, name) ? (environment[name] ?? '') : '';
  });
}
