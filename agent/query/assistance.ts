/** Help between threads: what one thread asks of others with a query, over channels that the server's thread hands on. */
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { errorMessage, PromletError } from '../../lib/model/index.ts';
import type { Assistance, Assistants, AssistTask, Engine, PartAnswer } from '../../lib/promql/index.ts';
import type { Queryable } from '../../lib/storage/index.ts';

/** Work of a task, in units of 10 ns, for which it is worth starting a thread. */
const MIN_WORK_TO_START = 2_000_000;

/** What a thread asks the server's thread for: to hand these on to threads that have nothing to do, each its own port. */
export interface HelpRequest {
  readonly task: AssistTask;
  readonly ports: readonly MessagePort[];
  /** Threads may be started for it. */
  readonly mayStart: boolean;
}

/** From a thread that helps to the one that asked. */
type FromHelper =
  /** Before it takes anything. */
  | { readonly kind: 'begun' }
  | { readonly kind: 'answer'; readonly answer: PartAnswer }
  /** Without a code it is a bug. */
  | { readonly kind: 'error'; readonly code: string | undefined; readonly message: string }
  /** It has taken what there was to take, and has answered. */
  | { readonly kind: 'done' };

/** Other query threads, as many as may come. */
export class OtherThreads implements Assistants {
  readonly count: number;
  readonly #request: (request: HelpRequest) => void;

  /** @param request tells the server's thread, ports handed over */
  constructor(count: number, request: (request: HelpRequest) => void) {
    this.count = count;
    this.#request = request;
  }

  assist(task: AssistTask): Assistance {
    const channels = Array.from({ length: this.count }, () => new MessageChannel());
    const ports = channels.map(({ port2 }) => port2);
    this.#request({ task, ports, mayStart: task.work >= MIN_WORK_TO_START });
    return new RemoteAssistance(channels.map(({ port1 }) => port1));
  }
}

/** What comes from those that were found. A channel that nobody was found for is closed: of that nothing follows. */
class RemoteAssistance implements Assistance {
  readonly #ports: readonly MessagePort[];
  readonly #answers = new Map<number, PartAnswer>();
  #failure: Error | undefined;
  #arrived: (() => void) | undefined;

  constructor(ports: readonly MessagePort[]) {
    this.#ports = ports;
    for (const port of ports) this.#listen(port);
  }

  async answer(from: number): Promise<PartAnswer> {
    for (;;) {
      const answer = this.#answers.get(from);
      if (answer !== undefined) return answer;
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => (this.#arrived = resolve));
    }
  }

  end(): void {
    for (const port of this.#ports) port.close();
    this.#failure ??= new PromletError('promql/canceled', 'query was canceled in expression evaluation');
    this.#arrived?.();
  }

  #listen(port: MessagePort): void {
    let isAtWork = false;
    port.on('message', (message: FromHelper) => {
      isAtWork = message.kind === 'begun' || message.kind === 'answer';
      if (message.kind === 'answer') this.#answers.set(message.answer.from, message.answer);
      if (message.kind === 'error') this.#failure ??= errorOf(message);
      this.#arrived?.();
    });
    port.on('close', () => {
      if (!isAtWork) return;
      // Who took parts and did not say what became of them was ended, for the memory it took perhaps.
      this.#failure ??= new PromletError('query/helper-ended', 'a thread that worked on the query was ended');
      this.#arrived?.();
    });
  }
}

/** Computes what it can of a task, until whoever asked has gone. */
export async function assist(
  engine: Engine,
  queryable: () => Queryable,
  task: AssistTask,
  port: MessagePort,
): Promise<void> {
  const gone = new AbortController();
  port.on('close', () => gone.abort());
  const send = (message: FromHelper, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer);
  send({ kind: 'begun' });
  try {
    for await (const answer of engine.assist(queryable(), task, { signal: gone.signal })) {
      send({ kind: 'answer', answer }, buffersOf(answer));
    }
    send({ kind: 'done' });
  } catch (error) {
    const code = error instanceof PromletError ? error.code : undefined;
    send({ kind: 'error', code, message: errorMessage(error) });
  }
  port.close();
}

function errorOf({ code, message }: FromHelper & { kind: 'error' }): Error {
  return code === undefined ? new Error(message) : new PromletError(code, message);
}

function buffersOf({ partial, nameHashes }: PartAnswer): ArrayBuffer[] {
  const columns = [...(partial?.columns ?? []), ...(nameHashes === undefined ? [] : [nameHashes])];
  return columns.map(({ buffer }) => buffer as ArrayBuffer);
}
