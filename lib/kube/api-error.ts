import { PromletError, shorten } from '../model/index.ts';
import type { Status } from './objects.ts';

/**
 * The API server refused a request. `code` follows the Status reason: `NotFound` → `kube/not-found`; a failure without a
 * Status is named by its HTTP status. Faults below HTTP are plain `PromletError`s: `kube/unreachable`, `kube/timeout`,
 * `kube/bad-response`.
 */
export class KubeApiError extends PromletError {
  override readonly name = 'KubeApiError';
  readonly httpStatus: number;
  /** The Status reason, '' when the answer had none. */
  readonly reason: string;
  /** What the server asked us to wait, from the Status or the Retry-After header. */
  readonly retryAfterMs: number | undefined;

  constructor(what: string, httpStatus: number, status: Status, retryAfterMs?: number) {
    const reason = status.reason ?? '';
    const message = status.message ?? `HTTP status ${httpStatus}`;
    super(`kube/${codeOf(reason, httpStatus)}`, `${what}: ${shorten(message, 1000)}`);
    this.httpStatus = httpStatus;
    this.reason = reason;
    const seconds = status.details?.retryAfterSeconds;
    this.retryAfterMs = seconds === undefined || seconds === 0 ? retryAfterMs : seconds * 1000;
  }
}

function codeOf(reason: string, httpStatus: number): string {
  if (reason === 'Expired') return 'gone';
  if (reason !== '') return reason.replace(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase();
  switch (httpStatus) {
    case 401:
      return 'unauthorized';
    case 403:
      return 'forbidden';
    case 404:
      return 'not-found';
    case 409:
      return 'conflict';
    case 410:
      return 'gone';
    case 429:
      return 'too-many-requests';
    default:
      return httpStatus >= 500 ? 'server-error' : 'refused';
  }
}

/** True for a Status of this code: `isKubeError(error, 'kube/not-found')`. */
export function isKubeError(error: unknown, code: string): error is KubeApiError {
  return error instanceof KubeApiError && error.code === code;
}
