import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** kubectl and helm against the cluster that KUBECONFIG names. */
export class Cluster {
  readonly #kubectl: string;
  readonly #helm: string;

  constructor(kubectl: string, helm: string) {
    this.#kubectl = kubectl;
    this.#helm = helm;
  }

  async kubectl(...args: string[]): Promise<string> {
    return (await run(this.#kubectl, args, { maxBuffer: 1 << 26 })).stdout;
  }

  async helm(...args: string[]): Promise<string> {
    return (await run(this.#helm, args, { maxBuffer: 1 << 26 })).stdout;
  }

  async json<T>(...args: string[]): Promise<T> {
    return JSON.parse(await this.kubectl(...args, '-o', 'json')) as T;
  }

  /** `kubectl apply -f -` */
  async apply(yaml: string): Promise<void> {
    const child = spawn(this.#kubectl, ['apply', '-f', '-'], { stdio: ['pipe', 'ignore', 'pipe'] });
    let errors = '';
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    child.stdin.end(yaml);
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0) throw new Error(`kubectl apply: ${errors}`);
  }

  /** Forwards a free local port to `resource` while `body` runs. */
  async forwarded<T>(namespace: string, resource: string, port: number, body: (url: string) => Promise<T>): Promise<T> {
    const args = ['port-forward', '-n', namespace, '--address', '127.0.0.1', resource, `:${port}`];
    const child = spawn(this.#kubectl, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    try {
      return await body(await forwardUrl(child.stdout, child.stderr));
    } finally {
      const ended = once(child, 'exit');
      child.kill();
      await ended;
    }
  }
}

function forwardUrl(stdout: NodeJS.ReadableStream, stderr: NodeJS.ReadableStream): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    let errors = '';
    stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
    stdout.on('end', () => reject(new Error(`kubectl port-forward: ${errors}`)));
    stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const match = /Forwarding from (127\.0\.0\.1:\d+)/.exec(text);
      if (match !== null) resolve(`http://${match[1]}`);
    });
  });
}
