import assert from 'node:assert/strict';
import { escapeName, negotiateText } from '../../../lib/api/exposition-format.ts';
import { federationText } from '../../../lib/api/federation-text.ts';
import { Labels } from '../../../lib/model/index.ts';

describe('api: the text that federation gives', () => {
  const cases: readonly (readonly [name: string, underscores: string, dots: string, values: string])[] = [
    ['plain_name', 'plain_name', 'plain_name', 'plain_name'],
    ['http.status', 'http_status', 'http_dot_status', 'U__http_2e_status'],
    ['0a', '_a', '__a', 'U___30_a'],
    ['a_b-c', 'a_b_c', 'a__b__c', 'U__a__b_2d_c'],
    ['grün😀', 'gr_n_', 'gr__n__', 'U__gr_fc_n_1f600_'],
  ];
  for (const [name, underscores, dots, values] of cases) {
    it(`escapes ${name}`, () => {
      assert.equal(escapeName(name, 'underscores'), underscores);
      assert.equal(escapeName(name, 'dots'), dots);
      assert.equal(escapeName(name, 'values'), values);
      assert.equal(escapeName(name, 'allow-utf-8'), name);
    });
  }

  it('takes the escaping of the Accept header, underscores where it names none or another', () => {
    assert.equal(negotiateText('text/plain; escaping=values, */*').escaping, 'values');
    assert.equal(negotiateText('text/plain;escaping=allow-utf-8').escaping, 'allow-utf-8');
    assert.equal(negotiateText('text/plain;escaping=foo').escaping, 'underscores');
    assert.equal(negotiateText('').escaping, 'underscores');
  });

  it('adds external labels that a series has not, and an instance at any rate', async () => {
    const sample = (labels: Record<string, string>) => ({
      labels: Labels.of(labels),
      timestampMs: 1,
      value: 2,
      histogram: undefined,
    });
    const samples = [
      sample({ __name__: 'a', zone: 'own' }),
      sample({ __name__: 'a', instance: 'i' }),
      sample({ __name__: 'b' }),
    ];
    let out = '';
    for (const piece of federationText(samples, Labels.of({ zone: 'z' }), 'underscores')) out += piece;
    assert.equal(
      out,
      '# TYPE a untyped\na{zone="own",instance=""} 2 1\na{instance="i",zone="z"} 2 1\n# TYPE b untyped\nb{instance="",zone="z"} 2 1\n',
    );
  });
});
