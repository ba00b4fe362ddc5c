import { z } from 'zod';
import { PromletError, shorten } from '../../lib/model/index.ts';
import type { MonitorStatus } from './status.ts';

/** The parts of an object's metadata that the operator reads. */
const metadata = z.object({
  name: z.string(),
  namespace: z.string(),
  uid: z.string().optional(),
  resourceVersion: z.string().optional(),
  generation: z.int().optional(),
  labels: z.record(z.string(), z.string()).optional(),
});

export type ResourceMetadata = z.infer<typeof metadata>;

/** A namespaced custom resource with its checked spec. */
export interface CustomResource<Spec> {
  readonly metadata: ResourceMetadata;
  readonly spec: Spec;
}

/** One custom resource: what the API server calls it, and the zod schemas its CRD is generated from. */
export interface ResourceDefinition<Spec = unknown> {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly description: string;
  readonly spec: z.ZodType<Spec>;
  readonly status: z.ZodType<MonitorStatus>;
  /** `group/version`. */
  readonly apiVersion: string;
  /** @throws PromletError `resources/invalid` naming the field */
  parse(object: unknown): CustomResource<Spec>;
}

/** Issues quoted in one message; the rest is counted. */
const MAX_ISSUES = 3;

export function defineResource<Spec>(
  definition: Omit<ResourceDefinition<Spec>, 'apiVersion' | 'parse'>,
): ResourceDefinition<Spec> {
  const schema = z.object({ metadata, spec: definition.spec });
  return {
    ...definition,
    apiVersion: `${definition.group}/${definition.version}`,
    parse(object) {
      const result = schema.safeParse(object);
      if (result.success) return result.data;
      throw new PromletError('resources/invalid', describeIssues(result.error.issues));
    },
  };
}

/** `spec.endpoints[0].interval: Invalid string…`, at most `MAX_ISSUES` of them. */
function describeIssues(issues: readonly z.core.$ZodIssue[]): string {
  const parts = issues.slice(0, MAX_ISSUES).map(({ path, message }) => {
    const field = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('');
    return `${shorten(field.replace(/^\./, ''))}: ${shorten(message)}`;
  });
  if (issues.length > MAX_ISSUES) parts.push(`and ${issues.length - MAX_ISSUES} more`);
  return parts.join('; ');
}
