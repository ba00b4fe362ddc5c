import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { nodeTransport } from '../../../lib/remote/index.ts';

describe('the transport of remote read', () => {
  it('does not take a connection for missing that was made while the process stood still', async () => {
    const server = http.createServer((_, response) => response.end('there')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const transport = nodeTransport({ maxIdlePerHost: 1, connectTimeoutMs: 100 });
    const { port } = server.address() as AddressInfo;
    const request = { method: 'GET', url: `http://127.0.0.1:${port}/`, signal: new AbortController().signal } as const;
    try {
      const answering = transport.request(request);
      // By then it connects; it is looked at no sooner than in the next turn of the event loop.
      for (let tick = 0; tick < 3; tick++) await new Promise<void>((resolve) => process.nextTick(resolve));
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
      const { status, body } = await answering;
      assert.equal(status, 200);
      assert.equal(await text(body), 'there');
    } finally {
      transport.close();
      server.close();
    }
  });
});
