import type { Clock, Logger } from '../../lib/env/index.ts';
import {
  type EventRecorder,
  isKubeError,
  type KubeClient,
  type KubeObject,
  objectKey,
  type Resource,
} from '../../lib/kube/index.ts';
import { errorMessage } from '../../lib/model/index.ts';
import type { Condition } from '../resources/index.ts';
import { acceptedCondition, isSameCondition } from './condition.ts';

interface ObjectWithStatus extends KubeObject {
  readonly status?: { readonly conditions?: readonly Condition[] | null } | null;
}

export interface StatusWriterOptions {
  readonly client: Pick<KubeClient, 'patch'>;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** Keeps the condition Accepted of the monitors; writes only what changed, and an Event with every rejection. */
export class StatusWriter {
  readonly #options: StatusWriterOptions;
  /**
   * Per monitor the condition written last. The CRD may be prometheus-operator's, which prunes `status.conditions`:
   * without this it would be written again and again.
   */
  readonly #written = new Map<string, Condition>();

  constructor(options: StatusWriterOptions) {
    this.#options = options;
  }

  /**
   * @param object the monitor as last seen
   * @param rejection why it was rejected; undefined when it was accepted
   * @throws PromletError `kube/…`, except when the monitor or its status subresource is gone
   */
  async write(resource: Resource, object: KubeObject, rejection: string | undefined): Promise<void> {
    const { clock, events, logger } = this.#options;
    const key = `${resource.plural}/${objectKey(object)}`;
    const conditions = conditionsOf(object);
    const previous = conditions.find(({ type }) => type === 'Accepted');
    const next = acceptedCondition(rejection, object.metadata.generation, clock.now(), previous);
    if (isSameCondition(previous, next) || isSameCondition(this.#written.get(key), next)) return;

    const others = conditions.filter(({ type }) => type !== 'Accepted');
    if (!(await this.#patch(resource, object, [...others, next]))) return;
    this.#written.set(key, next);
    if (rejection === undefined) return;
    logger.warn({ kind: resource.kind, monitor: objectKey(object), reason: rejection }, 'monitor rejected');
    const regarding = { ...object, apiVersion: `${resource.group}/${resource.version}`, kind: resource.kind };
    await events.record(regarding, 'Warning', 'InvalidConfiguration', rejection);
  }

  /** Forgets a deleted monitor. */
  forget(resource: Resource, key: string): void {
    this.#written.delete(`${resource.plural}/${key}`);
  }

  /** @returns false when there is nothing to write to */
  async #patch(resource: Resource, object: KubeObject, conditions: readonly Condition[]): Promise<boolean> {
    const { client, logger } = this.#options;
    const { name = '', namespace } = object.metadata;
    try {
      await client.patch(resource, { name, namespace }, { status: { conditions } }, { subresource: 'status' });
      return true;
    } catch (error) {
      if (!isKubeError(error, 'kube/not-found')) throw error;
      logger.debug({ monitor: objectKey(object), error: errorMessage(error) }, 'no status to write to');
      return false;
    }
  }
}

function conditionsOf(object: ObjectWithStatus): readonly Condition[] {
  return object.status?.conditions ?? [];
}
