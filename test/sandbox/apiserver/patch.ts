import { isObject, type Json, type JsonObject } from './json.ts';
import { applyJsonPatch } from './json-patch.ts';
import { applyMergePatch, applyStrategicPatch } from './merge-patch.ts';
import type { ResourceType } from './resource-type.ts';
import { badRequest, unsupportedMediaType } from './status.ts';

export type PatchKind = 'json' | 'merge' | 'strategic' | 'apply';

/** The live object with a patch on it; custom resources know no strategic merge (415). */
export function patchedBy(kind: Exclude<PatchKind, 'apply'>, live: JsonObject, patch: Json, type: ResourceType): Json {
  switch (kind) {
    case 'json':
      return applyJsonPatch(live, patch);
    case 'merge':
      return applyMergePatch(live, patch);
    case 'strategic':
      if (type.isCustom) {
        throw unsupportedMediaType('application/strategic-merge-patch+json', [
          'application/json-patch+json',
          'application/merge-patch+json',
          'application/apply-patch+yaml',
        ]);
      }
      if (!isObject(patch)) throw badRequest('a strategic merge patch must be an object');
      return applyStrategicPatch(live, patch, type.schema);
  }
}
