import type { Tsdb, TsdbOptions } from './types.ts';

export declare function openTsdb(options: TsdbOptions): Promise<Tsdb>;
