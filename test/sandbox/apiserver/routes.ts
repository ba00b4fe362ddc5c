import type { IncomingMessage, ServerResponse } from 'node:http';

import * as discovery from './discovery.ts';
import type { JsonObject } from './json.ts';
import { listPage } from './list.ts';
import { openApiDocument, openApiIndex } from './openapi.ts';
import type { Registry } from './registry.ts';
import { presentList, presentObject, representationOf, type View } from './representation.ts';
import {
  deleteOptionsOf,
  parseResourcePath,
  patchKindOf,
  readBody,
  type ResourcePath,
  writeOptionsOf,
} from './request.ts';
import type { Resources } from './resources.ts';
import type { ResourceType } from './resource-type.ts';
import { answerReview, answerTokenRequest } from './reviews.ts';
import { badRequest, methodNotAllowed, noSuchPath } from './status.ts';
import type { Store } from './store.ts';
import { startWatch } from './watch.ts';

/** What the routes work on. */
export interface Backend {
  store: Store;
  registry: Registry;
  resources: Resources;
  now: () => number;
  /** Connections of running watches, so that a test may cut them. */
  watches: Set<ServerResponse>;
}

/** What the server says it is: the newest version whose API it follows. */
const VERSION: JsonObject = {
  major: '1',
  minor: '35',
  gitVersion: 'v1.35.0',
  gitTreeState: 'clean',
  goVersion: 'none',
  compiler: 'none',
  platform: 'sandbox',
};

/** Serves one request. Throws `ApiError`s, which the server turns into answers. */
export async function route(backend: Backend, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://sandbox');
  const parts = url.pathname
    .split('/')
    .filter((part) => part !== '')
    .map(decodeURIComponent);
  const document = staticDocument(backend, parts, request.headers.accept ?? '');
  if (document !== undefined) {
    if (request.method !== 'GET' && request.method !== 'HEAD') throw methodNotAllowed();
    if (typeof document === 'string') send(response, 200, document, 'text/plain');
    else sendJson(response, 200, document.body, document.contentType);
    return;
  }
  const path = parseResourcePath(parts);
  const type = path && backend.registry.find(path.group, path.version, path.plural);
  if (path === undefined || type === undefined) throw noSuchPath();
  if (path.namespace !== undefined && !type.namespaced) throw noSuchPath();
  await serveResource(backend, type, path, url.searchParams, request, response);
}

interface Document {
  body: JsonObject;
  contentType?: string;
}

/** Discovery, OpenAPI, version and health; undefined for every other path. */
function staticDocument(
  { registry }: Backend,
  parts: readonly string[],
  accept: string,
): Document | string | undefined {
  const [root, second, third] = parts;
  switch (root ?? '') {
    case 'healthz':
    case 'livez':
    case 'readyz':
      return 'ok';
    case 'version':
      return { body: VERSION };
    case 'openapi': {
      if (second !== 'v3') throw noSuchPath();
      const body = parts.length === 2 ? openApiIndex(registry) : openApiDocument(registry, parts.slice(2).join('/'));
      if (body === undefined) throw noSuchPath();
      return { body };
    }
    case 'api':
    case 'apis': {
      const isCore = root === 'api';
      if (parts.length === 1) {
        if (accept.includes('g=apidiscovery.k8s.io;v=v2;')) {
          return { body: discovery.aggregated(registry, isCore), contentType: discovery.AGGREGATED };
        }
        return { body: isCore ? discovery.coreVersions() : discovery.groupList(registry) };
      }
      const [group, version] = isCore ? ['', second!] : [second!, third];
      if (parts.length > (isCore ? 2 : 3)) return undefined;
      const body =
        version === undefined
          ? discovery.groupDocument(registry, group)
          : discovery.resourceList(registry, group, version);
      if (body === undefined) throw noSuchPath();
      return { body };
    }
    default:
      return undefined;
  }
}

async function serveResource(
  backend: Backend,
  type: ResourceType,
  path: ResourcePath,
  query: URLSearchParams,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { resources } = backend;
  const { namespace, name, subresource } = path;
  if (type.virtual) {
    if (request.method !== 'POST') throw methodNotAllowed();
    sendJson(response, 201, answerReview(type, await readBody(request)));
    return;
  }
  const view: View = {
    type,
    representation: representationOf(request.headers.accept ?? ''),
    includeObject: query.get('includeObject') ?? 'Metadata',
    nowMs: backend.now(),
  };
  if (name === undefined) {
    await serveCollection(backend, view, namespace, query, request, response);
    return;
  }
  if (type.namespaced && namespace === undefined) throw noSuchPath();
  if (subresource !== '' && !(subresource === 'status' && type.hasStatus)) {
    await serveSubresource(backend, type, path, request, response);
    return;
  }
  const options = writeOptionsOf(request, query, subresource === 'status' ? 'status' : '');
  switch (request.method ?? 'GET') {
    case 'GET': {
      sendJson(response, 200, presentObject(view, resources.get(type, namespace, name)));
      return;
    }
    case 'PUT': {
      const object = resources.update(type, namespace, name, await readBody(request), options);
      sendJson(response, 200, presentObject(view, object), undefined, options.warnings);
      return;
    }
    case 'PATCH': {
      const kind = patchKindOf(request);
      if (kind === 'apply' && !query.has('fieldManager')) throw badRequest('fieldManager is required for apply patch');
      const { object, isNew } = resources.patch(type, namespace, name, kind, await readBody(request), options);
      sendJson(response, isNew ? 201 : 200, presentObject(view, object), undefined, options.warnings);
      return;
    }
    case 'DELETE': {
      if (subresource !== '') throw methodNotAllowed();
      const deleted = resources.delete(type, namespace, name, deleteOptionsOf(await readBody(request), query));
      sendJson(response, 200, deleted.kept ? presentObject(view, deleted.kept) : success(type, name, deleted.uid));
      return;
    }
    default:
      throw methodNotAllowed();
  }
}

function success(type: ResourceType, name: string, uid: string): JsonObject {
  const details = { name, ...(type.group === '' ? {} : { group: type.group }), kind: type.plural, uid };
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details };
}

async function serveCollection(
  backend: Backend,
  view: View,
  namespace: string | undefined,
  query: URLSearchParams,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { store, resources } = backend;
  const { type } = view;
  switch (request.method ?? 'GET') {
    case 'GET': {
      const watch = query.get('watch');
      if (watch === 'true' || watch === '1') serveWatch(backend, view, namespace, query, response);
      else sendJson(response, 200, presentList(view, listPage(store, type, namespace, query)));
      return;
    }
    case 'POST': {
      if (type.namespaced && namespace === undefined) throw methodNotAllowed();
      const options = writeOptionsOf(request, query, '');
      const object = resources.create(type, namespace, await readBody(request), options);
      sendJson(response, 201, presentObject(view, object), undefined, options.warnings);
      return;
    }
    case 'DELETE': {
      const options = deleteOptionsOf(await readBody(request), query);
      const page = listPage(store, type, namespace, query);
      for (const { metadata } of page.items) resources.delete(type, metadata.namespace, metadata.name, options);
      sendJson(response, 200, presentList(view, page));
      return;
    }
    default:
      throw methodNotAllowed();
  }
}

function serveWatch(
  { store, watches }: Backend,
  view: View,
  namespace: string | undefined,
  query: URLSearchParams,
  response: ServerResponse,
): void {
  let stop: (() => void) | undefined;
  const begin = (): void => {
    if (!response.headersSent) response.writeHead(200, { 'content-type': 'application/json' });
  };
  stop = startWatch(store, view, namespace, query, {
    send(line) {
      begin();
      response.write(`${JSON.stringify(line)}\n`);
    },
    end() {
      begin();
      response.end();
    },
  });
  begin();
  response.flushHeaders();
  watches.add(response);
  response.on('close', () => {
    watches.delete(response);
    stop();
  });
}

/** Subresources that are no view of the object itself. */
async function serveSubresource(
  { resources, now }: Backend,
  type: ResourceType,
  { namespace, name = '', subresource }: ResourcePath,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const place = `${type.group}/${type.plural}/${subresource}`;
  const body = await readBody(request);
  if (place === '/serviceaccounts/token' && request.method === 'POST') {
    resources.get(type, namespace, name);
    sendJson(response, 201, answerTokenRequest(body, now()));
  } else if (place === '/pods/eviction' && request.method === 'POST') {
    const { uid } = resources.delete(type, namespace, name, { propagationPolicy: 'Background', dryRun: false });
    sendJson(response, 201, success(type, name, uid));
  } else {
    throw noSuchPath();
  }
}

export function sendJson(
  response: ServerResponse,
  code: number,
  body: JsonObject,
  contentType = 'application/json',
  warnings: readonly string[] = [],
): void {
  if (warnings.length > 0)
    response.setHeader(
      'Warning',
      warnings.map((line) => `299 - ${JSON.stringify(line)}`),
    );
  send(response, code, JSON.stringify(body), contentType);
}

function send(response: ServerResponse, code: number, body: string, contentType: string): void {
  response.writeHead(code, { 'content-type': contentType, 'content-length': Buffer.byteLength(body) });
  response.end(response.req.method === 'HEAD' ? undefined : body);
}
