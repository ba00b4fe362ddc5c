import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';
import type { FileSystem } from '../env/index.ts';
import { errorMessage, PromletError } from '../model/index.ts';
import { LIMITS } from './limits.ts';

/**
 * Own reader of kubeconfig files, because of what client-node's costs. RSS on Node 24, MB, from source / as a minified
 * bundle: bare 44 / 44; node:https 51 / 51; this (node:https and `yaml`) 62 / 52; `import { KubeConfig }` 126 / 80; all
 * of client-node 126 / 94. Of client-node only the exec plugin is used, imported when a kubeconfig names one.
 */
export interface KubeConnection {
  /** Origin and base path, without a trailing slash. */
  readonly server: string;
  readonly caPem: string | undefined;
  readonly tlsServerName: string | undefined;
  readonly skipTlsVerify: boolean;
  /** The namespace of the context, `default` when it names none. */
  readonly namespace: string;
  readonly user: KubeUser;
}

export interface KubeUser {
  readonly name: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly username?: string;
  readonly password?: string;
  readonly certPem?: string;
  readonly keyPem?: string;
  /** A client-go credential plugin, as the kubeconfig spells it. */
  readonly exec?: Readonly<Record<string, unknown>>;
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads one kubeconfig; relative paths in it are relative to it.
 * @throws PromletError `kube/bad-config`
 */
export function loadKubeconfig(path: string, files: FileSystem, contextName?: string): KubeConnection {
  const config = asFields(parseYaml(path, readText(path, files)));
  const read = new KubeconfigReader(path, files);
  const wanted = contextName ?? read.text(config, 'current-context');
  if (wanted === undefined || wanted === '') throw read.bad('no current-context');
  const context = read.named(config, 'contexts', wanted, 'context');
  const cluster = read.named(config, 'clusters', read.text(context, 'cluster') ?? '', 'cluster');
  const userName = read.text(context, 'user') ?? '';
  const user = userName === '' ? {} : read.named(config, 'users', userName, 'user');
  const server = read.text(cluster, 'server');
  if (server === undefined) throw read.bad(`the cluster of context "${wanted}" has no server`);
  if (read.text(cluster, 'proxy-url') !== undefined) throw read.bad('proxy-url is not supported');
  if (user['auth-provider'] !== undefined) throw read.bad('auth-provider is not supported: use an exec plugin');
  return {
    server: server.replace(/\/+$/, ''),
    caPem: read.pem(cluster, 'certificate-authority'),
    tlsServerName: read.text(cluster, 'tls-server-name'),
    skipTlsVerify: cluster['insecure-skip-tls-verify'] === true,
    namespace: read.text(context, 'namespace') ?? 'default',
    user: read.user(userName, user),
  };
}

/** At most `LIMITS.configFileBytes` of UTF-8. @throws PromletError `kube/bad-config` */
export function readText(path: string, files: FileSystem): string {
  try {
    const { size } = files.statSync(path);
    if (size > LIMITS.configFileBytes) throw new PromletError('kube/bad-config', `${path}: ${size} bytes are too many`);
    return files.readFileSync(path, 'utf8');
  } catch (cause) {
    if (cause instanceof PromletError) throw cause;
    throw new PromletError('kube/bad-config', `${path}: ${errorMessage(cause)}`, { cause });
  }
}

function parseYaml(path: string, text: string): unknown {
  try {
    return parse(text);
  } catch (cause) {
    throw new PromletError('kube/bad-config', `${path}: ${errorMessage(cause)}`, { cause });
  }
}

function asFields(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

class KubeconfigReader {
  readonly #path: string;
  readonly #files: FileSystem;

  constructor(path: string, files: FileSystem) {
    this.#path = path;
    this.#files = files;
  }

  bad(message: string): PromletError {
    return new PromletError('kube/bad-config', `${this.#path}: ${message}`);
  }

  text(fields: Fields, name: string): string | undefined {
    const value = fields[name];
    if (value === undefined || value === null) return undefined;
    if (typeof value !== 'string') throw this.bad(`${name} is not a string`);
    return value;
  }

  /** The entry `name` of the list `list`, unwrapped from its `{name, <inner>}`. */
  named(config: Fields, list: string, name: string, inner: string): Fields {
    const entries = config[list];
    const found = Array.isArray(entries) ? entries.map(asFields).find((entry) => entry['name'] === name) : undefined;
    if (found === undefined) throw this.bad(`${list} has no "${name}"`);
    return asFields(found[inner]);
  }

  /** PEM given inline (`<name>-data`, base64) or as a file (`<name>`). */
  pem(fields: Fields, name: string): string | undefined {
    const data = this.text(fields, `${name}-data`);
    if (data !== undefined && data !== '') return Buffer.from(data, 'base64').toString('utf8');
    const file = this.text(fields, name);
    return file === undefined || file === '' ? undefined : readText(this.#absolute(file), this.#files);
  }

  user(name: string, fields: Fields): KubeUser {
    const tokenFile = this.text(fields, 'tokenFile');
    const known = {
      token: this.text(fields, 'token'),
      tokenFile: tokenFile === undefined ? undefined : this.#absolute(tokenFile),
      username: this.text(fields, 'username'),
      password: this.text(fields, 'password'),
      certPem: this.pem(fields, 'client-certificate'),
      keyPem: this.pem(fields, 'client-key'),
      exec: fields['exec'] === undefined ? undefined : asFields(fields['exec']),
    };
    const given = Object.entries(known).filter(([, value]) => value !== undefined && value !== '');
    return { name, ...Object.fromEntries(given) };
  }

  #absolute(path: string): string {
    return resolve(dirname(this.#path), path);
  }
}
