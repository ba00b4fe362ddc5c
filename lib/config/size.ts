const UNITS: Readonly<Record<string, number>> = {
  B: 1,
  KB: 2 ** 10,
  KiB: 2 ** 10,
  MB: 2 ** 20,
  MiB: 2 ** 20,
  GB: 2 ** 30,
  GiB: 2 ** 30,
  TB: 2 ** 40,
  TiB: 2 ** 40,
  PB: 2 ** 50,
  PiB: 2 ** 50,
  EB: 2 ** 60,
  EiB: 2 ** 60,
};

/** `15MB` → bytes; undefined if invalid. Powers of 1,024 whether written `MB` or `MiB`, as in Prometheus. */
export function parseSize(text: string): number | undefined {
  if (text === '0') return 0;
  if (!/^[+-]?(?:\d+(?:\.\d*)?[A-Za-z]+)+$/.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d*)?)([A-Za-z]+)/g)) {
    const factor = Object.hasOwn(UNITS, unit!) ? UNITS[unit!] : undefined;
    if (factor === undefined) return undefined;
    total += Number(amount) * factor;
  }
  return text.startsWith('-') ? -total : total;
}

/** Bytes in the largest unit that needs no fraction: `1GiB`, `1536MiB`. */
export function formatSize(sizeBytes: number): string {
  if (sizeBytes === 0) return '0';
  let [unit, size] = ['B', sizeBytes];
  for (const larger of ['KiB', 'MiB', 'GiB', 'TiB']) {
    if (size % 1024 !== 0) break;
    [unit, size] = [larger, size / 1024];
  }
  return `${size}${unit}`;
}
