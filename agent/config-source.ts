import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { Clock, FileSystem, Logger, Random } from '../lib/env/index.ts';
import { type KubeClient, type KubeObject, type ObjectName, Reflector, SECRETS } from '../lib/kube/index.ts';
import { errorMessage, PromletError } from '../lib/model/index.ts';
import { LIMITS } from './limits.ts';

/** Prometheus YAML, gzipped: the key prometheus-operator uses too. */
const SECRET_KEY = 'prometheus.yaml.gz';

const decompress = promisify(gunzip);

/** Where the configuration comes from. */
export interface ConfigSource {
  /** For people: `file /etc/prometheus.yml`, `secret promlet/agent-config`. */
  readonly name: string;
  /** The newest text. @throws PromletError `config/unreadable` */
  read(): Promise<string>;
  /** Calls back when there may be something new to read; after `stop` no more. */
  start(onChange: () => void): void;
  stop(): Promise<void>;
  /** Why news may not reach us at the moment. */
  readonly lastError: string | undefined;
}

/** A file, read at start and on reload. */
export class FileConfigSource implements ConfigSource {
  readonly name: string;
  readonly lastError = undefined;
  readonly #path: string;
  readonly #files: FileSystem;

  constructor(path: string, files: FileSystem) {
    this.name = `file ${path}`;
    this.#path = path;
    this.#files = files;
  }

  async read(): Promise<string> {
    try {
      const { size } = this.#files.statSync(this.#path);
      if (size > LIMITS.configBytes) throw new Error(`${size} bytes, the limit is ${LIMITS.configBytes}`);
      return this.#files.readFileSync(this.#path, 'utf8');
    } catch (cause) {
      throw new PromletError('config/unreadable', `${this.#path}: ${errorMessage(cause)}`, { cause });
    }
  }

  start(): void {}

  async stop(): Promise<void> {}
}

interface Secret extends KubeObject {
  readonly data?: Readonly<Record<string, string>> | null;
}

export interface SecretConfigSourceOptions {
  readonly client: KubeClient;
  readonly secret: Required<ObjectName>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/**
 * One Secret, watched through the API: a change is here at once, where a mounted Secret takes a minute. The selector by
 * name lets RBAC grant this one object only.
 */
export class SecretConfigSource implements ConfigSource {
  readonly name: string;
  readonly #options: SecretConfigSourceOptions;
  readonly #key: string;
  readonly #reflector: Reflector<Secret>;

  constructor(options: SecretConfigSourceOptions) {
    const { secret } = options;
    this.#options = options;
    this.#key = `${secret.namespace}/${secret.name}`;
    this.name = `secret ${this.#key}`;
    this.#reflector = new Reflector<Secret>({
      ...options,
      resource: SECRETS,
      namespace: secret.namespace,
      fieldSelector: `metadata.name=${secret.name}`,
    });
  }

  get lastError(): string | undefined {
    return this.#reflector.lastError?.message;
  }

  async read(): Promise<string> {
    const data = this.#reflector.objects.get(this.#key)?.data;
    if (data === undefined || data === null) throw this.#unreadable(this.lastError ?? 'no such Secret yet');
    const packed = data[SECRET_KEY];
    if (packed === undefined) throw this.#unreadable(`it has no key ${SECRET_KEY}`);
    try {
      const bytes = await decompress(Buffer.from(packed, 'base64'), { maxOutputLength: LIMITS.configBytes });
      return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    } catch (cause) {
      throw this.#unreadable(`${SECRET_KEY}: ${errorMessage(cause)}`, cause);
    }
  }

  start(onChange: () => void): void {
    this.#reflector.subscribe((event) => {
      if (event.type === 'delete') this.#options.logger.warn({ secret: this.#key }, 'configuration Secret deleted');
      else onChange();
    });
    this.#reflector.start();
  }

  stop(): Promise<void> {
    return this.#reflector.stop();
  }

  #unreadable(what: string, cause?: unknown): PromletError {
    return new PromletError('config/unreadable', `${this.name}: ${what}`, { cause });
  }
}
