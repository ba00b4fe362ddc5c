import protobuf from 'protobufjs';

import type { Json, JsonObject } from './json.ts';
import { unsupportedMediaType } from './status.ts';

/**
 * Kubernetes' protobuf bodies, for the few kinds that helm and kubectl write that way (helm its releases). A body is
 * the magic `k8s\0` and then an `Unknown` message, whose `raw` holds the object. Answers are always JSON, which every
 * such client accepts. Field numbers: `generated.proto` of k8s.io/apimachinery and k8s.io/api/core/v1.
 */
const MESSAGES = `
syntax = "proto2";
message Unknown { optional TypeMeta typeMeta = 1; optional bytes raw = 2; }
message TypeMeta { optional string apiVersion = 1; optional string kind = 2; }
message Time { optional int64 seconds = 1; optional int32 nanos = 2; }
message ObjectMeta {
  optional string name = 1; optional string generateName = 2; optional string namespace = 3; optional string uid = 5;
  optional string resourceVersion = 6; optional int64 generation = 7; optional Time creationTimestamp = 8;
  map<string, string> labels = 11; map<string, string> annotations = 12;
  repeated OwnerReference ownerReferences = 13; repeated string finalizers = 14;
}
message OwnerReference {
  optional string kind = 1; optional string name = 3; optional string uid = 4; optional string apiVersion = 5;
  optional bool controller = 6; optional bool blockOwnerDeletion = 7;
}
message Secret {
  optional ObjectMeta metadata = 1; map<string, bytes> data = 2; optional string type = 3;
  map<string, string> stringData = 4; optional bool immutable = 5;
}
message ConfigMap {
  optional ObjectMeta metadata = 1; map<string, string> data = 2; map<string, bytes> binaryData = 3;
  optional bool immutable = 4;
}
message Namespace { optional ObjectMeta metadata = 1; }
message ServiceAccount { optional ObjectMeta metadata = 1; }
message TokenRequest { optional ObjectMeta metadata = 1; optional TokenRequestSpec spec = 2; }
message TokenRequestSpec { repeated string audiences = 1; optional int64 expirationSeconds = 4; }
message SelfSubjectReview { optional ObjectMeta metadata = 1; }
message SelfSubjectAccessReview { optional ObjectMeta metadata = 1; }
message SelfSubjectRulesReview { optional ObjectMeta metadata = 1; }
message Eviction { optional ObjectMeta metadata = 1; }
message Preconditions { optional string uid = 1; optional string resourceVersion = 2; }
message DeleteOptions {
  optional int64 gracePeriodSeconds = 1; optional Preconditions preconditions = 2; optional string propagationPolicy = 4;
  repeated string dryRun = 5;
}`;

const MAGIC = 'k8s\0';
const root = protobuf.parse(MESSAGES, { keepCase: true }).root;

/** Throws 415 for a kind that is not in the table. */
export function decodeProtobuf(body: Buffer): Json {
  if (body.subarray(0, MAGIC.length).toString('latin1') !== MAGIC) throw unsupported('no Kubernetes protobuf');
  const { typeMeta, raw } = fields('Unknown', body.subarray(MAGIC.length)) as { typeMeta?: JsonObject; raw?: string };
  const { apiVersion = '', kind = '' } = typeMeta ?? {};
  if (root.get(String(kind)) === null) throw unsupported(`${String(apiVersion)} ${String(kind)}`);
  const object = fields(String(kind), Buffer.from(raw ?? '', 'base64'));
  if (object.metadata !== undefined) object.metadata = cleaned(object.metadata as JsonObject);
  return { ...object, apiVersion, kind };
}

function fields(message: string, bytes: Uint8Array): JsonObject {
  const type = root.lookupType(message);
  return type.toObject(type.decode(bytes), { bytes: String, longs: Number });
}

/** Go writes fields that it does not set as empty ones; the creation time is the server's, and no text here. */
function cleaned(metadata: JsonObject): JsonObject {
  const isSet = ([key, value]: [string, unknown]): boolean =>
    value !== '' && value !== 0 && key !== 'creationTimestamp';
  return Object.fromEntries(Object.entries(metadata).filter(isSet));
}

function unsupported(what: string) {
  return unsupportedMediaType(`application/vnd.kubernetes.protobuf: ${what}`, ['application/json', 'application/yaml']);
}
