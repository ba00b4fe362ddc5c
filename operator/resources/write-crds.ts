/** `npm run crds`: writes crds/*.yaml, and the identical copies that Helm installs. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { formatCustomResourceDefinition } from './crd.ts';
import { RESOURCES } from './definitions.ts';

const root = new URL('../../', import.meta.url);

for (const folder of ['crds/', 'charts/promlet/crds/']) {
  mkdirSync(new URL(folder, root), { recursive: true });
  for (const resource of RESOURCES) {
    const name = `${resource.group}_${resource.plural}.yaml`;
    writeFileSync(new URL(folder + name, root), formatCustomResourceDefinition(resource));
  }
}
