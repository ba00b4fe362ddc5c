import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Logger } from '../../lib/env/index.ts';
import { isKubeError, type KubeClient, type KubeObject, SECRETS } from '../../lib/kube/index.ts';
import { PromletError } from '../../lib/model/index.ts';

/** Key of the Secret that holds the gzipped configuration; prometheus-operator's own name. */
export const CONFIG_KEY = 'prometheus.yaml.gz';
/** SHA-256 of the YAML, hex: tells whether anything changed without unpacking. */
export const HASH_ANNOTATION = 'promlet.dev/config-sha256';

/** The API server takes 1 MiB of Secret data; the rest is room for metadata. */
const MAX_CONFIG_GZIP_BYTES = 900 * 1024;

const compress = promisify(gzip);

interface Secret extends KubeObject {
  readonly type?: string;
  readonly data?: Readonly<Record<string, string>> | null;
}

export interface SecretName {
  readonly namespace: string;
  readonly name: string;
}

export interface PublisherOptions {
  readonly client: Pick<KubeClient, 'get' | 'create' | 'update'>;
  /** The Secret that agents watch. */
  readonly secret: SecretName;
  readonly logger: Logger;
}

/** Writes the configuration into the agents' Secret. */
export class Publisher {
  readonly #options: PublisherOptions;

  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /**
   * Publishes unless the Secret holds this configuration already. Labels, annotations and keys of others stay.
   * @returns whether the Secret was written
   * @throws PromletError `publish/too-large`: the last configuration stays; `kube/…`: try again
   */
  async publish(yaml: string): Promise<boolean> {
    const { client, secret, logger } = this.#options;
    const current = await this.#read();
    const hash = createHash('sha256').update(yaml).digest('hex');
    if (current?.metadata.annotations?.[HASH_ANNOTATION] === hash && current.data?.[CONFIG_KEY] !== undefined) {
      return false;
    }
    const packed = await compress(yaml);
    if (packed.length > MAX_CONFIG_GZIP_BYTES) {
      throw new PromletError(
        'publish/too-large',
        `configuration of ${packed.length} bytes gzipped, the limit of one Secret is ${MAX_CONFIG_GZIP_BYTES}`,
      );
    }
    const next = withConfig(current ?? newSecret(secret), packed.toString('base64'), hash);
    if (current === undefined) await client.create(SECRETS, next);
    else await client.update(SECRETS, next);
    logger.info(
      { secret: `${secret.namespace}/${secret.name}`, hash, bytes: packed.length },
      'published configuration',
    );
    return true;
  }

  async #read(): Promise<Secret | undefined> {
    const { client, secret } = this.#options;
    try {
      return await client.get<Secret>(SECRETS, secret);
    } catch (error) {
      if (isKubeError(error, 'kube/not-found')) return undefined;
      throw error;
    }
  }
}

function newSecret(name: SecretName): Secret {
  const labels = {
    'app.kubernetes.io/name': 'promlet',
    'app.kubernetes.io/component': 'agent',
    'app.kubernetes.io/managed-by': 'promlet-operator',
  };
  return { metadata: { ...name, labels }, type: 'Opaque' };
}

function withConfig(secret: Secret, base64: string, hash: string): Secret {
  const { metadata } = secret;
  return {
    ...secret,
    metadata: { ...metadata, annotations: { ...metadata.annotations, [HASH_ANNOTATION]: hash } },
    data: { ...secret.data, [CONFIG_KEY]: base64 },
  };
}
