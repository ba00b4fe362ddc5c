import { PromletError } from '../model/index.ts';

/** Versions 1.0 and 2.0 of remote write. */
export type WriteVersion = 1 | 2;

const MESSAGES: Readonly<Record<string, WriteVersion>> = {
  'prometheus.WriteRequest': 1,
  'io.prometheus.write.v2.Request': 2,
};

/** @throws PromletError `remote/unsupported-media-type`, in Prometheus's words */
export function writeVersionOf(contentType: string): WriteVersion {
  const whole = contentType.trim();
  if (whole === '') return 1;
  const [media, ...parameters] = whole.split(';');
  if (media !== 'application/x-protobuf') {
    throw unsupported(`expected application/x-protobuf as the first (media) part, got ${whole} content-type`);
  }
  for (const parameter of parameters) {
    const [name, value, ...more] = parameter.split('=');
    if (value === undefined || more.length > 0) {
      throw unsupported(
        `as per https://www.rfc-editor.org/rfc/rfc9110#parameter expected parameters to be key-values, got ${parameter} in ${whole} content-type`,
      );
    }
    if (name !== 'proto') continue;
    const version = Object.hasOwn(MESSAGES, value) ? MESSAGES[value] : undefined;
    if (version !== undefined) return version;
    const known = Object.keys(MESSAGES).join(', ');
    throw unsupported(
      `got ${whole} content type; unknown type for remote write protobuf message ${value}, supported: ${known}`,
    );
  }
  return 1;
}

function unsupported(message: string): PromletError {
  return new PromletError('remote/unsupported-media-type', message);
}
