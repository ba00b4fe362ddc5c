import { z } from 'zod';
import { flag, text, textList } from './scalars.ts';
import { secretKeySelector, secretOrConfigMap } from './selectors.ts';

const tlsVersion = (description: string) =>
  z.enum(['TLS10', 'TLS11', 'TLS12', 'TLS13']).describe(description).optional();

const safeTlsFields = {
  ca: secretOrConfigMap('CA certificates, PEM.').optional(),
  cert: secretOrConfigMap('Client certificate, PEM.').optional(),
  insecureSkipVerify: flag('Do not verify the certificate of the target.'),
  keySecret: secretKeySelector('Client key, PEM.').optional(),
  maxVersion: tlsVersion('Highest TLS version.'),
  minVersion: tlsVersion('Lowest TLS version.'),
  serverName: text('Name to verify the certificate against.'),
};

/** TLS without files (PodMonitor, OAuth2). */
export const safeTlsConfig = z.object(safeTlsFields).describe('TLS of the connection.');

/** TLS with files (ServiceMonitor); the files are in the schema because upstream has them, and are refused later. */
export const tlsConfig = z
  .object({
    ...safeTlsFields,
    caFile: text('Refused: files of the scraper are not readable by monitors.'),
    certFile: text('Refused: files of the scraper are not readable by monitors.'),
    keyFile: text('Refused: files of the scraper are not readable by monitors.'),
  })
  .describe('TLS of the connection.');

export const basicAuth = z
  .object({
    password: secretKeySelector('Password.').optional(),
    username: secretKeySelector('User name.').optional(),
  })
  .describe('HTTP Basic authentication.');

export const authorization = z
  .object({
    credentials: secretKeySelector('Credentials of the Authorization header.').optional(),
    type: text('Scheme of the Authorization header, Bearer by default.'),
  })
  .describe('Authorization header.');

export const proxyFields = {
  noProxy: text('Hosts to reach without the proxy, separated by commas.'),
  proxyConnectHeader: z
    .record(z.string(), z.array(secretKeySelector('Value of the header.')))
    .meta({ description: 'Headers for CONNECT requests to the proxy.', 'x-kubernetes-map-type': 'atomic' })
    .optional(),
  proxyFromEnvironment: flag("Take the proxy from the scraper's environment."),
  proxyUrl: z
    .string()
    .regex(/^(http|https|socks5):\/\/.+$/)
    .describe('URL of the proxy.')
    .optional(),
};

export const oauth2 = z
  .object({
    clientId: secretOrConfigMap('Client id.'),
    clientSecret: secretKeySelector('Client secret.'),
    endpointParams: z.record(z.string(), z.string()).describe('Parameters of the token request.').optional(),
    scopes: textList('Scopes of the token request.'),
    tlsConfig: safeTlsConfig.optional(),
    tokenUrl: z
      .string()
      .regex(/^(http|https):\/\/.+$/)
      .describe('URL of the token endpoint.'),
    ...proxyFields,
  })
  .describe('OAuth 2.0 client credentials.');

export type SafeTlsConfig = z.infer<typeof safeTlsConfig>;
export type TlsConfig = z.infer<typeof tlsConfig>;
export type BasicAuth = z.infer<typeof basicAuth>;
export type Authorization = z.infer<typeof authorization>;
