import { z } from 'zod';

/** A limit or count: int64 in Kubernetes, 0 or more. */
export const limit = (description: string) => z.int().min(0).meta({ description, format: 'int64' }).optional();

export const flag = (description: string) => z.boolean().describe(description).optional();

export const text = (description: string) => z.string().describe(description).optional();

export const textList = (description: string) => z.array(z.string()).describe(description).optional();

const DURATION = /^(0|(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)?)$/;

/** Prometheus's duration, `1m30s`; empty means "not set" as in prometheus-operator. */
export const duration = (description: string) => z.string().regex(DURATION).describe(description).optional();

/** Powers of two: `512KB` is 512 × 1024 bytes. */
export const byteSize = (description: string) =>
  z
    .string()
    .regex(/(^0|([0-9]*[.])?[0-9]+((K|M|G|T|E|P)i?)?B)$/)
    .describe(description)
    .optional();

export const intOrString = (description: string) =>
  z.union([z.int(), z.string()]).meta({ description, 'x-kubernetes-int-or-string': true }).optional();

const QUANTITY =
  /^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$/;

/** A Kubernetes quantity, `1.1` or `100m`; the pattern binds the string form. */
export const quantity = (description: string) =>
  z
    .union([z.int(), z.string()])
    .refine((value) => QUANTITY.test(String(value)), 'not a quantity')
    .meta({ description, pattern: QUANTITY.source, 'x-kubernetes-int-or-string': true })
    .optional();
