import { z } from 'zod';
import { flag, textList } from './scalars.ts';

const keySelector = (kind: string, description: string) =>
  z
    .object({
      key: z.string().describe(`Key within the ${kind}.`),
      name: z
        .string()
        .meta({ description: `Name of the ${kind}, in the monitor's namespace.`, default: '' })
        .optional(),
      optional: flag(`Whether the ${kind} or its key may be missing.`),
    })
    .meta({ description, 'x-kubernetes-map-type': 'atomic' });

/** core/v1 SecretKeySelector; always of the monitor's own namespace. */
export const secretKeySelector = (description: string) => keySelector('Secret', description);

/** core/v1 ConfigMapKeySelector; always of the monitor's own namespace. */
export const configMapKeySelector = (description: string) => keySelector('ConfigMap', description);

export const secretOrConfigMap = (description: string) =>
  z
    .object({
      configMap: configMapKeySelector('Key of a ConfigMap.').optional(),
      secret: secretKeySelector('Key of a Secret.').optional(),
    })
    .describe(description);

/** meta/v1 LabelSelector. */
export const labelSelector = (description: string) =>
  z
    .object({
      matchExpressions: z
        .array(
          z.object({
            key: z.string().describe('Label key.'),
            operator: z.string().describe('In, NotIn, Exists or DoesNotExist.'),
            values: z
              .array(z.string())
              .meta({ description: 'Values for In and NotIn.', 'x-kubernetes-list-type': 'atomic' })
              .optional(),
          }),
        )
        .meta({ description: 'Requirements, all of which must hold.', 'x-kubernetes-list-type': 'atomic' })
        .optional(),
      matchLabels: z.record(z.string(), z.string()).describe('Labels and their exact values.').optional(),
    })
    .meta({ description, 'x-kubernetes-map-type': 'atomic' });

export const namespaceSelector = z
  .object({
    any: flag('All namespaces.'),
    matchNames: textList('These namespaces.'),
  })
  .describe("Where to look for targets; the monitor's own namespace by default.");

export type SecretKeySelector = z.infer<ReturnType<typeof secretKeySelector>>;
export type SecretOrConfigMap = z.infer<ReturnType<typeof secretOrConfigMap>>;
export type LabelSelector = z.infer<ReturnType<typeof labelSelector>>;
export type NamespaceSelector = z.infer<typeof namespaceSelector>;
