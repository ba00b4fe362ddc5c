import { type Clock, type Logger, systemClock } from '../env/index.ts';
import { errorMessage } from '../model/index.ts';
import type { KubeClient } from './client.ts';
import type { KubeObject } from './objects.ts';
import { EVENTS } from './resources.ts';

export interface EventRecorderOptions {
  readonly client: Pick<KubeClient, 'create'>;
  /** Who reports: `promlet.dev/operator`. */
  readonly reportingController: string;
  /** Our pod's name. */
  readonly reportingInstance: string;
  readonly logger: Logger;
  readonly clock?: Clock;
}

/** Names are unique per process by a counter after the time, so that events need no retry. */
let counter = 0;

/** Writes `events.k8s.io/v1` Events, which `kubectl describe` shows under the object they are about. */
export class EventRecorder {
  readonly #options: EventRecorderOptions;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
  }

  /** Best effort: a failure is logged, never thrown. `reason` in CamelCase; the note is cut at 1024 bytes' worth. */
  async record(regarding: KubeObject, type: 'Normal' | 'Warning', reason: string, note: string): Promise<void> {
    const { client, reportingController, reportingInstance, logger, clock = systemClock } = this.#options;
    const { name = '', namespace = 'default', uid, resourceVersion } = regarding.metadata;
    const nowMs = clock.now();
    const event = {
      metadata: { namespace, name: `${name}.${nowMs.toString(16)}${(counter++).toString(16)}` },
      eventTime: new Date(nowMs).toISOString().replace('Z', '000Z'),
      reportingController,
      reportingInstance,
      action: reason,
      reason,
      type,
      note: note.slice(0, 1000),
      regarding: { apiVersion: regarding.apiVersion, kind: regarding.kind, name, namespace, uid, resourceVersion },
    };
    try {
      await client.create(EVENTS, event);
    } catch (error) {
      logger.warn({ regarding: name, reason, error: errorMessage(error) }, 'event not recorded');
    }
  }
}
