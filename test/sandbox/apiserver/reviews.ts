import { randomUUID } from 'node:crypto';

import { child, isObject, type Json, type JsonObject } from './json.ts';
import { apiVersionOf, type ResourceType } from './resource-type.ts';

const USER: JsonObject = {
  username: 'sandbox-admin',
  uid: 'sandbox-admin',
  groups: ['system:masters', 'system:authenticated'],
};

/** The answer to a review: this server knows one user, who may do everything. */
export function answerReview(type: ResourceType, body: Json): JsonObject {
  const review: JsonObject = isObject(body) ? body : {};
  return { ...review, kind: type.kind, apiVersion: apiVersionOf(type), metadata: {}, status: reviewStatus(type.kind) };
}

function reviewStatus(kind: string): JsonObject {
  switch (kind) {
    case 'SelfSubjectReview':
      return { userInfo: USER };
    case 'TokenReview':
      return { authenticated: true, user: USER };
    case 'SelfSubjectRulesReview':
      return {
        resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }],
        nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
        incomplete: false,
      };
    default:
      return { allowed: true };
  }
}

/** The answer to `serviceaccounts/<name>/token`: a token that the server accepts as it accepts any. */
export function answerTokenRequest(body: Json, nowMs: number): JsonObject {
  const spec = isObject(body) ? child(body, 'spec') : {};
  const seconds = typeof spec.expirationSeconds === 'number' ? spec.expirationSeconds : 3600;
  return {
    kind: 'TokenRequest',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: {},
    spec,
    status: { token: randomUUID(), expirationTimestamp: new Date(nowMs + seconds * 1000).toISOString() },
  };
}
