/** Checks answers against an OpenAPI 3.1 description, whose schemas are JSON Schema 2020-12. */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { parse } from 'yaml';

interface Operation {
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema?: object }>> }>
  >;
}

interface Description {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

const ROOT = 'openapi';

export class OpenApi {
  readonly version: string;
  readonly #paths: Description['paths'];
  readonly #ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
  readonly #validators = new Map<string, ValidateFunction>();

  /** @param yaml the description */
  constructor(yaml: string) {
    const description = parse(yaml) as Description;
    this.version = description.openapi;
    this.#paths = description.paths;
    this.#ajv.addSchema(description, ROOT);
  }

  /** `GET /query`, … of those that answer with JSON. */
  get operations(): string[] {
    return Object.entries(this.#paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
  }

  /**
   * @param operation of `operations`
   * @returns what is wrong with the answer, '' when nothing is
   */
  fault(operation: string, status: number, body: unknown): string {
    const [method = '', path = ''] = operation.split(' ');
    const responses = this.#paths[path]?.[method.toLowerCase()]?.responses;
    if (responses === undefined) return `${operation} is not described`;
    const code = String(status) in responses ? String(status) : 'default';
    const response = responses[code];
    if (response === undefined) return `${operation} does not answer ${status}`;
    if (response.content === undefined) return '';
    const pointer = ['paths', path, method.toLowerCase(), 'responses', code, 'content', 'application/json', 'schema']
      .map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1')))
      .join('/');
    const reference = `${ROOT}#/${pointer}`;
    let validate = this.#validators.get(reference);
    if (validate === undefined) {
      validate = this.#ajv.compile({ $ref: reference });
      this.#validators.set(reference, validate);
    }
    if (validate(body)) return '';
    return this.#ajv.errorsText(validate.errors, { separator: '\n' });
  }
}
