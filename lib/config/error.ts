import { PromletError } from '../model/index.ts';
import { MAX_REPORTED_PROBLEMS } from './limits.ts';

export interface ConfigProblem {
  /** 1-based. */
  readonly line: number;
  /** `scrape_configs[0].scrape_interval`; '' for the whole file. */
  readonly path: string;
  readonly message: string;
}

/** A configuration that cannot be used: `config/bad-yaml` or `config/invalid`. Never empty. */
export class ConfigError extends PromletError {
  readonly problems: readonly ConfigProblem[];

  constructor(code: string, problems: readonly ConfigProblem[]) {
    const shown = problems.slice(0, MAX_REPORTED_PROBLEMS).map(printProblem);
    if (problems.length > shown.length) shown.push(`and ${problems.length - shown.length} more`);
    super(code, shown.join('; '));
    this.problems = problems;
  }
}

function printProblem({ line, path, message }: ConfigProblem): string {
  return path === '' ? `line ${line}: ${message}` : `line ${line}: ${path}: ${message}`;
}
