import { randomInt } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { createServer } from 'node:net';

/** Below the ports that systems give by themselves, to connections too: Linux from 32768 on, others from 49152 on. */
const FIRST_PORT = 10_000;
const END_PORT = 32_768;

/** What holds ports against other tests: UDP has port numbers of its own, which nothing here needs. */
const claims: Socket[] = [];

/**
 * A port on 127.0.0.1 that nothing listens on, for a program that is started with it, stopped and started again: no connection
 * gets it in the meantime, and no other call of this function, in whatever process, as long as this process lives.
 * @param preferred taken when it can be had
 */
export async function freePort(preferred?: number): Promise<number> {
  if (preferred !== undefined && (await take(preferred))) return preferred;
  const offset = randomInt(END_PORT - FIRST_PORT);
  for (let i = 0; i < END_PORT - FIRST_PORT; i++) {
    const port = FIRST_PORT + ((offset + i) % (END_PORT - FIRST_PORT));
    if (await take(port)) return port;
  }
  throw new Error(`no port from ${FIRST_PORT} to ${END_PORT - 1} is free`);
}

async function take(port: number): Promise<boolean> {
  const claim = await claimed(port);
  if (claim === undefined) return false;
  if (await canListen(port)) {
    claims.push(claim);
    return true;
  }
  claim.close();
  return false;
}

/** Binds the UDP port of the same number, which one process can. */
function claimed(port: number): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4').unref();
    socket.once('error', () => {
      socket.close();
      resolve(undefined);
    });
    socket.bind({ port, address: '127.0.0.1', exclusive: true }, () => resolve(socket));
  });
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
