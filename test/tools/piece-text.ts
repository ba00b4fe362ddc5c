import type { Piece } from '../../lib/api/index.ts';

/** The text that pieces of an answer make up. */
export function pieceText(pieces: Iterable<Piece>): string {
  const bytes = Array.from(pieces, (piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece));
  return Buffer.concat(bytes).toString();
}
