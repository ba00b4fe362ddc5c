export type { Fault, FaultRequest } from './faults.ts';
export type { KubeObject, ObjectMeta, OwnerReference } from './object.ts';
export { type ApiServer, type ApiServerOptions, type Manifest, startApiServer } from './server.ts';
export { ApiError } from './status.ts';
