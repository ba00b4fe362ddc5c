import { PromletError } from '../model/index.ts';
import type { ProtoWriter } from './proto-writer.ts';
import type { Crc32c } from './codec.ts';

/** A size of at most 2^35; larger ones are refused before they are summed up. */
const MAX_SIZE_VARINT_BYTES = 5;
const CRC_BYTES = 4;

/**
 * Cuts a byte stream into the frames of a STREAMED_XOR_CHUNKS answer (Prometheus `storage/remote/chunked.go`):
 *
 *     | size: uvarint | CRC-32C of the payload: 4 bytes, big-endian | payload: size bytes | …
 *
 * Give it bytes with `push`, take frames with `next` until that returns undefined, and call `finish` at the end of the
 * stream. A frame within one pushed piece is a view of it, not a copy.
 */
export class FrameReader {
  readonly #crc32c: Crc32c;
  readonly #maxFrameBytes: number;
  readonly #what: string;
  #pieces: Uint8Array[] = [];
  /** Bytes of all pieces together. */
  #available = 0;
  /** Payload size of the frame whose header was read, else -1. */
  #size = -1;
  #crc = 0;
  #frameCount = 0;

  /** @param what whose stream this is, for errors */
  constructor(crc32c: Crc32c, maxFrameBytes: number, what: string) {
    this.#crc32c = crc32c;
    this.#maxFrameBytes = maxFrameBytes;
    this.#what = what;
  }

  push(piece: Uint8Array): void {
    if (piece.length === 0) return;
    this.#pieces.push(piece);
    this.#available += piece.length;
  }

  /**
   * The next whole frame's payload, or undefined when more bytes are needed.
   * @throws PromletError `remote/frame-too-large`, `remote/corrupt-frame`
   */
  next(): Uint8Array | undefined {
    if (this.#size < 0 && !this.#readHeader()) return undefined;
    if (this.#available < this.#size) return undefined;
    const frame = this.#take(this.#size);
    if (this.#crc32c(frame) !== this.#crc) {
      throw new PromletError('remote/corrupt-frame', `${this.#what}: frame ${this.#frameCount}: checksum mismatch`);
    }
    this.#size = -1;
    this.#frameCount++;
    return frame;
  }

  /** @throws PromletError `remote/truncated-stream` when the stream ended inside a frame. */
  finish(): void {
    if (this.#size >= 0 || this.#available > 0) {
      throw new PromletError('remote/truncated-stream', `${this.#what}: ended inside frame ${this.#frameCount}`);
    }
  }

  #readHeader(): boolean {
    let size = 0;
    for (let i = 0; i < MAX_SIZE_VARINT_BYTES; i++) {
      if (i >= this.#available) return false;
      const byte = this.#peek(i);
      size += (byte & 0x7f) * 128 ** i;
      if (byte >= 0x80) continue;
      this.#checkSize(size);
      if (this.#available < i + 1 + CRC_BYTES) return false;
      const header = this.#take(i + 1 + CRC_BYTES);
      this.#size = size;
      this.#crc = new DataView(header.buffer, header.byteOffset).getUint32(i + 1);
      return true;
    }
    throw new PromletError('remote/corrupt-frame', `${this.#what}: frame ${this.#frameCount}: no valid size in front`);
  }

  #checkSize(size: number): void {
    if (size <= this.#maxFrameBytes) return;
    throw new PromletError(
      'remote/frame-too-large',
      `${this.#what}: frame ${this.#frameCount} of ${size} bytes, the limit is ${this.#maxFrameBytes}`,
    );
  }

  /** The byte `offset` behind the next one; it is available. */
  #peek(offset: number): number {
    let rest = offset;
    for (const piece of this.#pieces) {
      if (rest < piece.length) return piece[rest]!;
      rest -= piece.length;
    }
    return 0;
  }

  /** Removes the next `count` bytes, which are available. */
  #take(count: number): Uint8Array {
    const first = this.#pieces[0];
    this.#available -= count;
    if (first === undefined) return new Uint8Array(0);
    if (first.length >= count) {
      if (first.length === count) this.#pieces.shift();
      else this.#pieces[0] = first.subarray(count);
      return first.subarray(0, count);
    }
    const joined = new Uint8Array(count);
    let filled = 0;
    let used = 0;
    for (; filled < count; used++) {
      const piece = this.#pieces[used]!;
      const wanted = count - filled;
      if (piece.length > wanted) {
        joined.set(piece.subarray(0, wanted), filled);
        this.#pieces[used] = piece.subarray(wanted);
        break;
      }
      joined.set(piece, filled);
      filled += piece.length;
    }
    this.#pieces = this.#pieces.slice(used);
    return joined;
  }
}

/** Appends one frame with `payload` to `out`. */
export function writeFrame(out: ProtoWriter, payload: Uint8Array, crc32c: Crc32c): void {
  out.uvarint(payload.length);
  out.uint32BigEndian(crc32c(payload));
  out.raw(payload);
}
