import type { Kernels } from '../../kernels/index.ts';
import { compareUtf8 } from '../../model/index.ts';
import { badBlock, SYMBOL_SAMPLE_EVERY } from './format.ts';
import type { PositionedFile } from './positioned-file.ts';
import { openSection, type Section, SectionReader } from './section.ts';

/** Texts kept by id modulo this: neighbouring series share most of theirs. About 60 kB in a block that is in use. */
const CACHE_SIZE = 1024;

/**
 * The symbol table of an index: sorted texts that series name by id. Version 2 ids are the texts' positions in the
 * order, version 1 ids their offsets in the file. In memory lies the offset of every 8th (tsdb/index, `Symbols`).
 */
export class Symbols {
  readonly count: number;
  readonly #kernels: Kernels;
  readonly #file: PositionedFile;
  readonly #section: Section;
  readonly #version: number;
  readonly #walk: SectionReader;
  /** Of symbols 0, 8, 16, …: offset behind the start of the section. */
  readonly #samples: Uint32Array;
  readonly #cachedIds = new Float64Array(CACHE_SIZE).fill(-1);
  #cached: string[] | undefined;

  /**
   * Reads the whole table once, through `from`; later through `file`.
   * @throws PromletError `storage/bad-block`, `storage/block-read`
   */
  constructor(kernels: Kernels, file: PositionedFile, from: PositionedFile, at: number, version: number) {
    this.#kernels = kernels;
    this.#file = file;
    this.#version = version;
    this.#section = openSection(kernels, from, at, 'symbol table');
    this.#walk = new SectionReader(kernels, file, this.#section, this.#section.offset);
    const walk = new SectionReader(kernels, from, this.#section, this.#section.offset);
    this.count = walk.u32();
    if (this.count > this.#section.length) throw badBlock(file.path, at, `symbol table cannot hold ${this.count}`);
    this.#samples = new Uint32Array(Math.ceil(this.count / SYMBOL_SAMPLE_EVERY));
    for (let i = 0; i < this.#samples.length; i++) {
      this.#samples[i] = walk.offset - this.#section.offset;
      walk.skipTexts(Math.min(SYMBOL_SAMPLE_EVERY, this.count - i * SYMBOL_SAMPLE_EVERY));
    }
  }

  /** @throws PromletError `storage/bad-block` for an id that is none */
  lookup(id: number): string {
    const slot = id % CACHE_SIZE;
    if (this.#cachedIds[slot] === id) return this.#cached![slot]!;
    this.#seek(id);
    const text = this.#walk.text();
    this.#cachedIds[slot] = id;
    (this.#cached ??= [])[slot] = text;
    return text;
  }

  /** All of them in order, read through `file`. */
  *all(file: PositionedFile): Generator<string, void, undefined> {
    const walk = new SectionReader(this.#kernels, file, this.#section, this.#section.offset + 4);
    let last: string | undefined;
    for (let i = 0; i < this.count; i++) {
      const at = walk.offset;
      const text = walk.text();
      if (last !== undefined && compareUtf8(last, text) >= 0) throw badBlock(file.path, at, 'symbols out of order');
      last = text;
      yield text;
    }
  }

  /** Steps to the text of a symbol. */
  #seek(id: number): void {
    const { offset, length } = this.#section;
    if (this.#version === 1) {
      if (id < offset + 4 || id >= offset + length) throw badBlock(this.#file.path, id, 'a series names no symbol');
      this.#walk.seek(id);
      return;
    }
    if (id >= this.count) throw badBlock(this.#file.path, offset, `symbol ${id} of ${this.count} is named`);
    this.#walk.seek(offset + this.#samples[Math.floor(id / SYMBOL_SAMPLE_EVERY)]!);
    this.#walk.skipTexts(id % SYMBOL_SAMPLE_EVERY);
  }
}
