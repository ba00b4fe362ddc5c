import type { Piece } from '../../lib/api/index.ts';

/** The text that pieces of an answer make up; each is valid until the next is taken. */
export function pieceText(pieces: Iterable<Piece>): string {
  const bytes = Array.from(pieces, (piece) => Buffer.from(piece));
  return Buffer.concat(bytes).toString();
}
