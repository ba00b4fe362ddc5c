import { shorten } from '../../lib/model/index.ts';
import type { Condition } from '../resources/index.ts';

/** Longest message kept in a condition, characters. */
const MAX_MESSAGE_LENGTH = 1024;

/**
 * The condition Accepted of one monitor.
 * @param rejection why it was rejected; undefined when it was accepted
 * @param previous the condition it has now: a status that stays keeps its transition time
 */
export function acceptedCondition(
  rejection: string | undefined,
  generation: number | undefined,
  nowMs: number,
  previous: Condition | undefined,
): Condition {
  const accepted = rejection === undefined;
  const status = accepted ? 'True' : 'False';
  const isTransition = previous?.status !== status;
  return {
    type: 'Accepted',
    status,
    reason: accepted ? 'Accepted' : 'InvalidConfiguration',
    message: accepted ? '' : shorten(rejection, MAX_MESSAGE_LENGTH),
    lastTransitionTime: isTransition ? formatTime(nowMs) : previous.lastTransitionTime,
    ...(generation === undefined ? {} : { observedGeneration: generation }),
  };
}

/** Equal in all that a reader could act on. */
export function isSameCondition(a: Condition | undefined, b: Condition): boolean {
  return (
    a !== undefined &&
    a.status === b.status &&
    a.reason === b.reason &&
    (a.message ?? '') === (b.message ?? '') &&
    a.observedGeneration === b.observedGeneration
  );
}

/** meta/v1 Time: seconds. */
function formatTime(timestampMs: number): string {
  return new Date(timestampMs).toISOString().replace(/\.\d+Z$/, 'Z');
}
