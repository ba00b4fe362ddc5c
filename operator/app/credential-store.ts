import { isKubeError, type KubeClient, type KubeObject, type Resource, SECRETS } from '../../lib/kube/index.ts';
import { errorMessage, PromletError } from '../../lib/model/index.ts';
import type { CredentialReference } from '../monitors/index.ts';

const CONFIG_MAPS: Resource = {
  group: '',
  version: 'v1',
  plural: 'configmaps',
  kind: 'ConfigMap',
  namespaced: true,
};

/** Requests at a time. */
const CONCURRENCY = 8;

/** Decoded values by key; undefined: no such object; a string: why it may not be read. */
type Entry = ReadonlyMap<string, string> | string | undefined;

/** The Secrets and ConfigMaps that monitors name, read when first needed; nothing else is ever read. */
export class CredentialStore {
  readonly #client: Pick<KubeClient, 'get'>;
  readonly #entries = new Map<string, Entry>();

  constructor(client: Pick<KubeClient, 'get'>) {
    this.#client = client;
  }

  has(reference: CredentialReference): boolean {
    return this.#entries.has(objectId(reference));
  }

  /** @throws PromletError `monitors/rejected` when the API server refused to show the object */
  lookup(reference: CredentialReference): string | undefined {
    const entry = this.#entries.get(objectId(reference));
    if (typeof entry === 'string') throw new PromletError('monitors/rejected', entry);
    return entry?.get(reference.key);
  }

  /** Reads what is not there yet. @throws PromletError `kube/…` when the API server does not answer */
  async load(references: readonly CredentialReference[]): Promise<void> {
    const wanted = new Map(references.filter((item) => !this.has(item)).map((item) => [objectId(item), item]));
    const queue = wanted.entries();
    await Promise.all(
      Array.from({ length: CONCURRENCY }, async () => {
        for (const [id, reference] of queue) this.#entries.set(id, await this.#read(reference));
      }),
    );
  }

  /** Forgets all values, so that the next look reads them anew. */
  clear(): void {
    this.#entries.clear();
  }

  async #read({ kind, namespace, name }: CredentialReference): Promise<Entry> {
    try {
      if (kind === 'ConfigMap') {
        return valuesOf(await this.#client.get<DataObject>(CONFIG_MAPS, { namespace, name }));
      }
      return decode(valuesOf(await this.#client.get<DataObject>(SECRETS, { namespace, name })));
    } catch (error) {
      if (isKubeError(error, 'kube/not-found')) return undefined;
      if (isKubeError(error, 'kube/forbidden')) return `${kind} "${name}" cannot be read: ${errorMessage(error)}`;
      throw error;
    }
  }
}

interface DataObject extends KubeObject {
  readonly data?: Readonly<Record<string, string>> | null;
}

function valuesOf(object: DataObject): Map<string, string> {
  return new Map(Object.entries(object.data ?? {}));
}

function decode(values: ReadonlyMap<string, string>): Map<string, string> {
  return new Map([...values].map(([key, base64]) => [key, Buffer.from(base64, 'base64').toString('utf8')]));
}

function objectId({ kind, namespace, name }: CredentialReference): string {
  return `${kind}/${namespace}/${name}`;
}
