import { z } from 'zod';

const conditionFields = {
  lastTransitionTime: z.string().meta({ description: 'When the status last changed.', format: 'date-time' }),
  message: z.string().describe('Details for humans.').optional(),
  observedGeneration: z.int().meta({ description: 'Generation of the object judged.', format: 'int64' }).optional(),
  reason: z.string().describe('Machine-readable reason.').optional(),
  status: z.string().min(1).describe('True, False or Unknown.'),
};

const condition = z.object({ ...conditionFields, type: z.string().min(1).describe('Type of the condition.') });

const byType = (description: string) => ({
  description,
  'x-kubernetes-list-map-keys': ['type'],
  'x-kubernetes-list-type': 'map',
});

/** Bindings of prometheus-operator, kept so that both operators may write to the same objects. */
const binding = z.object({
  conditions: z
    .array(z.object({ ...conditionFields, type: z.enum(['Accepted']).describe('Type of the condition.') }))
    .meta(byType('Conditions with respect to this workload.'))
    .optional(),
  group: z.enum(['monitoring.coreos.com']).describe('Group of the workload.'),
  name: z.string().min(1).describe('Name of the workload.'),
  namespace: z.string().min(1).describe('Namespace of the workload.'),
  resource: z
    .enum(['prometheuses', 'prometheusagents', 'thanosrulers', 'alertmanagers'])
    .describe('Resource of the workload.'),
});

export const monitorStatus = z
  .object({
    bindings: z
      .array(binding)
      .meta({
        description: 'Workloads of prometheus-operator that select this object.',
        'x-kubernetes-list-map-keys': ['group', 'resource', 'name', 'namespace'],
        'x-kubernetes-list-type': 'map',
      })
      .optional(),
    conditions: z.array(condition).meta(byType('What Promlet made of this object.')).optional(),
  })
  .describe('Written by the operators; read-only.');

export type Condition = z.infer<typeof condition>;
export type MonitorStatus = z.infer<typeof monitorStatus>;
