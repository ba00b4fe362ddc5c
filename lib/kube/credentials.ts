import type { Clock, FileSystem } from '../env/index.ts';
import { errorMessage, PromletError } from '../model/index.ts';
import { type KubeConnection, type KubeUser, readText } from './kubeconfig.ts';

/** How long a token file is trusted before it is read again (client-go does the same). */
const TOKEN_FILE_TTL_MS = 60_000;

const SERVICE_ACCOUNT_DIRECTORY = '/var/run/secrets/kubernetes.io/serviceaccount';

/** What identifies us on a connection. */
export interface Identity {
  readonly authorization: string | undefined;
  readonly certPem: string | undefined;
  readonly keyPem: string | undefined;
}

/** Yields the identity to use now; `invalidate` after a 401 makes the next call fetch it anew. */
export interface Credentials {
  current(): Promise<Identity>;
  invalidate(): void;
}

/**
 * The connection every pod finds in its environment and its service account volume.
 * @throws PromletError `kube/bad-config` outside a cluster
 */
export function inClusterConnection(
  env: Readonly<Record<string, string | undefined>>,
  files: FileSystem,
): KubeConnection {
  const host = env['KUBERNETES_SERVICE_HOST'] ?? '';
  const port = env['KUBERNETES_SERVICE_PORT'] ?? '443';
  if (host === '') {
    throw new PromletError('kube/bad-config', 'not in a cluster (no KUBERNETES_SERVICE_HOST) and no kubeconfig given');
  }
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    caPem: readText(`${SERVICE_ACCOUNT_DIRECTORY}/ca.crt`, files),
    tlsServerName: undefined,
    skipTlsVerify: false,
    namespace: readText(`${SERVICE_ACCOUNT_DIRECTORY}/namespace`, files).trim(),
    user: { name: 'service account', tokenFile: `${SERVICE_ACCOUNT_DIRECTORY}/token` },
  };
}

export function createCredentials(user: KubeUser, files: FileSystem, clock: Clock): Credentials {
  if (user.exec !== undefined) return new ExecCredentials(user);
  if (user.tokenFile !== undefined) return new TokenFileCredentials(user, user.tokenFile, files, clock);
  return fixedCredentials(user);
}

function fixedCredentials(user: KubeUser): Credentials {
  const identity = { authorization: authorizationOf(user), certPem: user.certPem, keyPem: user.keyPem };
  return { current: () => Promise.resolve(identity), invalidate: () => undefined };
}

function authorizationOf(user: KubeUser): string | undefined {
  if (user.token !== undefined) return `Bearer ${user.token}`;
  if (user.username === undefined) return undefined;
  return `Basic ${Buffer.from(`${user.username}:${user.password ?? ''}`).toString('base64')}`;
}

/** Service account tokens are rotated by the kubelet well before they expire: the file is read once a minute. */
class TokenFileCredentials implements Credentials {
  readonly #user: KubeUser;
  readonly #path: string;
  readonly #files: FileSystem;
  readonly #clock: Clock;
  #identity: Identity | undefined;
  #readAtMs = 0;

  constructor(user: KubeUser, path: string, files: FileSystem, clock: Clock) {
    this.#user = user;
    this.#path = path;
    this.#files = files;
    this.#clock = clock;
  }

  async current(): Promise<Identity> {
    const nowMs = this.#clock.monotonicMs();
    if (this.#identity === undefined || nowMs - this.#readAtMs >= TOKEN_FILE_TTL_MS) {
      const token = readText(this.#path, this.#files).trim();
      this.#identity = { authorization: `Bearer ${token}`, certPem: this.#user.certPem, keyPem: this.#user.keyPem };
      this.#readAtMs = nowMs;
    }
    return this.#identity;
  }

  invalidate(): void {
    this.#identity = undefined;
  }
}

/** Runs the plugin through client-node, which caches the credential until it expires. */
class ExecCredentials implements Credentials {
  readonly #user: KubeUser;
  #plugin: Promise<import('@kubernetes/client-node/dist/exec_auth.js').ExecAuth> | undefined;

  constructor(user: KubeUser) {
    this.#user = user;
  }

  async current(): Promise<Identity> {
    this.#plugin ??= import('@kubernetes/client-node/dist/exec_auth.js').then(({ ExecAuth }) => new ExecAuth());
    const options: { headers?: Record<string, string>; cert?: string; key?: string } = {};
    try {
      await (await this.#plugin).applyAuthentication({ name: this.#user.name, exec: this.#user.exec }, options);
    } catch (cause) {
      throw new PromletError('kube/credentials', `credential plugin: ${errorMessage(cause)}`, { cause });
    }
    return {
      authorization: options.headers?.['Authorization'],
      certPem: options.cert ?? this.#user.certPem,
      keyPem: options.key ?? this.#user.keyPem,
    };
  }

  invalidate(): void {
    this.#plugin = undefined;
  }
}
