import assert from 'node:assert/strict';

import type { ApiServer } from '../../sandbox/apiserver/index.ts';

export interface Answer {
  code: number;
  body: {
    kind?: string;
    reason?: string;
    message?: string;
    metadata?: Record<string, unknown>;
    items?: { metadata: { name: string; resourceVersion: string } }[];
    [field: string]: unknown;
  };
  headers: Headers;
}

/** One request with a JSON body. */
export async function send(
  server: ApiServer,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(server.url + path, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { code: response.status, body: (await response.json()) as Answer['body'], headers: response.headers };
}

export interface WatchLine {
  type: string;
  object: {
    metadata: { name?: string; resourceVersion?: string; annotations?: Record<string, string> };
    code?: number;
  };
}

/** A running watch, read line by line. */
export class Watch {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #abort: AbortController;
  readonly #decoder = new TextDecoder();
  #buffered = '';

  constructor(reader: ReadableStreamDefaultReader<Uint8Array>, abort: AbortController) {
    this.#reader = reader;
    this.#abort = abort;
  }

  static async open(server: ApiServer, path: string, headers: Record<string, string> = {}): Promise<Watch> {
    const abort = new AbortController();
    const response = await fetch(server.url + path, { signal: abort.signal, headers });
    assert.equal(response.status, 200);
    return new Watch(response.body!.getReader(), abort);
  }

  /** The next event; undefined when the server ended the watch. Throws when the connection broke. */
  async next(): Promise<WatchLine | undefined> {
    for (;;) {
      const end = this.#buffered.indexOf('\n');
      if (end >= 0) {
        const line = this.#buffered.slice(0, end);
        this.#buffered = this.#buffered.slice(end + 1);
        return JSON.parse(line) as WatchLine;
      }
      const { value, done } = await this.#reader.read();
      if (done) return undefined;
      this.#buffered += this.#decoder.decode(value, { stream: true });
    }
  }

  /** `TYPE name` of the next `count` events. */
  async take(count: number): Promise<string[]> {
    const events: string[] = [];
    for (let i = 0; i < count; i += 1) {
      const line = await this.next();
      events.push(`${line?.type} ${line?.object.metadata.name ?? ''}`.trim());
    }
    return events;
  }

  close(): void {
    this.#abort.abort();
  }
}
