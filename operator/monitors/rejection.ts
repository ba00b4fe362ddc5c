import { errorMessage, PromletError } from '../../lib/model/index.ts';

/** A monitor that cannot become a scrape config. @returns PromletError `monitors/rejected` */
export function rejection(message: string): PromletError {
  return new PromletError('monitors/rejected', message);
}

/** Runs `action`, naming `field` in front of the message of what it throws. */
export function within<T>(field: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof PromletError)) throw error;
    throw new PromletError(error.code, `${field}: ${errorMessage(error)}`, { cause: error });
  }
}
