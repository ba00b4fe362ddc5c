import { assert } from '../../lib/model/index.ts';
import { rejection } from './rejection.ts';

const SUFFIXES: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** A Kubernetes quantity as a float: `1.1`, `100m`, `2e3`. */
export function parseQuantity(quantity: string | number): number {
  const match = /^([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?[\d.]+)?)([a-zA-Z]*)$/.exec(String(quantity));
  const scale = match === null ? undefined : SUFFIXES[match[2]!];
  assert(match !== null && scale !== undefined, `quantity ${quantity} passed the schema`);
  return Number(match[1]) * scale;
}

const BYTE_UNITS = ['B', 'K', 'M', 'G', 'T', 'P', 'E'];

/** Powers of two, as Prometheus reads sizes: `512KB` is 524,288. 0 is no limit. @returns bytes */
export function parseByteSize(size: string): number {
  const match = /^(\d*\.?\d+)([KMGTPE])?i?B$/.exec(size);
  if (match === null && size !== '0') throw rejection(`bodySizeLimit: "${size}" is not a size`);
  const bytes = match === null ? 0 : Math.trunc(Number(match[1]) * 1024 ** BYTE_UNITS.indexOf(match[2] ?? 'B'));
  if (!Number.isSafeInteger(bytes)) throw rejection(`bodySizeLimit: "${size}" is out of range`);
  return bytes;
}
