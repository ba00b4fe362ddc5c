import type { IncomingMessage } from 'node:http';

/** Of a body that is too large so much is read and thrown away: a client that still sends would meet a reset in place of the answer. */
const MAX_DISCARDED_BYTES = 16 << 20;

/** The body of a request; undefined when it is larger than `maxBytes`. The socket stays open, so that either can be answered. */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer | undefined> {
  let pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    length += piece.length;
    if (length <= maxBytes) pieces.push(piece);
    else if (length <= maxBytes + MAX_DISCARDED_BYTES) pieces = [];
    else break;
  }
  return length <= maxBytes ? Buffer.concat(pieces) : undefined;
}
