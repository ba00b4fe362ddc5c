/**
 * The endpoints of rules and alerts. No program has rules yet: parameters are checked as Prometheus checks them, and the
 * lists are empty.
 */
import type { Endpoints } from './endpoint.ts';
import { badParameter } from './errors.ts';
import { matcherSets, parseBoolean } from './params.ts';

const MAX_INT32 = 2 ** 31 - 1;

/** All take GET. */
export function rulesEndpoints(): Endpoints {
  return {
    rules: async ({ params }) => {
      matcherSets(params);
      const type = (params.get('type') ?? '').toLowerCase();
      if (type !== '' && type !== 'alert' && type !== 'record') {
        throw badParameter('type', `not supported value ${JSON.stringify(type)}`);
      }
      checkExcludeAlerts(params);
      const token = checkPagination(params);
      if (token !== '') {
        throw badParameter('group_next_token', `invalid group_next_token '${token}'. were rule groups changed?`);
      }
      return { data: { groups: [] } };
    },
    alerts: async () => ({ data: { alerts: [] } }),
    alertmanagers: async () => ({ data: { activeAlertmanagers: [], droppedAlertmanagers: [] } }),
  };
}

function checkExcludeAlerts(params: URLSearchParams): void {
  const text = (params.get('exclude_alerts') ?? '').toLowerCase();
  if (text === '' || parseBoolean(text) !== undefined) return;
  const reason = `strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`;
  throw badParameter('exclude_alerts', `error converting exclude_alerts: ${reason}`);
}

/** @returns the token of the page to begin with, '' for the first */
function checkPagination(params: URLSearchParams): string {
  const limit = params.get('group_limit') ?? '';
  const token = params.get('group_next_token') ?? '';
  if (limit === '') {
    if (token === '') return '';
    throw badParameter('group_next_token', 'group_limit needs to be present in order to paginate over the groups');
  }
  const problem = !/^[+-]?\d+$/.test(limit)
    ? 'invalid syntax'
    : Math.abs(Number(limit)) > MAX_INT32
      ? 'value out of range'
      : '';
  if (problem !== '') {
    const reason = `strconv.ParseInt: parsing ${JSON.stringify(limit)}: ${problem}`;
    throw badParameter('group_limit', `group_limit needs to be a valid number: ${reason}`);
  }
  if (Number(limit) <= 0) throw badParameter('group_limit', 'group_limit needs to be greater than 0');
  return token;
}
