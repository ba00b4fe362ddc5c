import { errorMessage, PromletError } from '../model/index.ts';

/** Prometheus's `errorType` and the status that goes with each (`web/api/v1`, `getDefaultErrorCode`). */
const STATUS = {
  bad_data: 400,
  execution: 422,
  timeout: 503,
  canceled: 499,
  internal: 500,
  unavailable: 503,
  not_found: 404,
} as const;

export type ErrorType = keyof typeof STATUS;

/** An error with its place in the API's protocol. */
export class ApiError extends PromletError {
  readonly errorType: ErrorType;
  readonly status: number;

  /** @param options `status`: where it is not the type's own */
  constructor(errorType: ErrorType, message: string, options: ErrorOptions & { readonly status?: number } = {}) {
    super(`api/${errorType}`, message, options);
    this.errorType = errorType;
    this.status = options.status ?? STATUS[errorType];
  }
}

export function badParameter(name: string, reason: string): ApiError {
  return new ApiError('bad_data', `invalid parameter "${name}": ${reason}`);
}

/** Codes of other rooms that are not plain `execution` errors. */
const TYPE_OF_CODE: Readonly<Record<string, ErrorType>> = {
  'promql/timeout': 'timeout',
  'promql/canceled': 'canceled',
};

/** Says any error in the API's terms. A bug (anything but a PromletError) is `internal`. */
export function toApiError(error: unknown, signal: AbortSignal): ApiError {
  if (error instanceof ApiError) return error;
  const cause = { cause: error };
  if (error instanceof PromletError) {
    if (error.code === 'promql/parse') return badParameter('query', error.message);
    const unavailable = error.code.endsWith('/unavailable') || error.code.endsWith('/not-ready');
    const type = TYPE_OF_CODE[error.code] ?? (unavailable ? 'unavailable' : 'execution');
    return new ApiError(type, error.message, cause);
  }
  if (signal.aborted) return new ApiError('canceled', 'the client closed the connection', cause);
  return new ApiError('internal', errorMessage(error), cause);
}
