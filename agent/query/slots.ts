import type { Piece } from '../../lib/api/query/index.ts';

/**
 * Shared memory in which the pieces of a long answer go from a thread to the server: nothing is allocated for them, and
 * nothing is left to be collected.
 *
 *     one is written to the socket │ one waits for its turn │ one is filled
 */
const SLOTS = 3;
const SLOT_BYTES = 128 * 1024;

const encoder = new TextEncoder();

export function createSlots(): SharedArrayBuffer {
  return new SharedArrayBuffer(SLOTS * SLOT_BYTES);
}

/** What lies in a slot. */
export interface Filled {
  readonly slot: number;
  readonly length: number;
}

/** The bytes where they lie: they stay until two more slots were filled behind them. */
export function bytesOf(slots: SharedArrayBuffer, { slot, length }: Filled): Uint8Array {
  return new Uint8Array(slots, slot * SLOT_BYTES, length);
}

/** Puts the pieces of an answer into slots, each filled as far as the pieces go. At least one is filled. */
export class SlotWriter {
  readonly #slots: SharedArrayBuffer;
  #slot = 0;

  constructor(slots: SharedArrayBuffer) {
    this.#slots = slots;
  }

  *fill(pieces: Iterable<Piece>): Generator<Filled> {
    let length = 0;
    for (const piece of pieces) {
      for (let from = 0; from < piece.length;) {
        const room = new Uint8Array(this.#slots, this.#slot * SLOT_BYTES + length, SLOT_BYTES - length);
        const taken = put(piece, from, room);
        from += taken.units;
        length += taken.bytes;
        if (from === piece.length) break;
        yield this.#filled(length);
        length = 0;
      }
    }
    yield this.#filled(length);
  }

  #filled(length: number): Filled {
    const slot = this.#slot;
    this.#slot = (slot + 1) % SLOTS;
    return { slot, length };
  }
}

/** As much of a piece, from a place in it on, as there is room for. */
function put(piece: Piece, from: number, room: Uint8Array): { units: number; bytes: number } {
  if (typeof piece !== 'string') {
    let to = Math.min(from + room.length, piece.length);
    // Not within a character: short pieces are read as texts.
    while (to < piece.length && (piece[to]! & 0xc0) === 0x80) to--;
    room.set(piece.subarray(from, to));
    return { units: to - from, bytes: to - from };
  }
  const { read, written } = encoder.encodeInto(from === 0 ? piece : piece.slice(from), room);
  return { units: read, bytes: written };
}
