import { type Clock, Gate } from '../../lib/env/index.ts';
import { type Annotations, AssertionError, errorMessage, PromletError } from '../../lib/model/index.ts';
import type { Agent, AgentsDirectory } from './directory.ts';
import type { FederationLimits } from './limits.ts';

export interface FanOutOptions {
  readonly directory: AgentsDirectory;
  readonly clock: Clock;
  readonly limits: FederationLimits;
  /** Whether an agent that fails becomes a warning; else it fails the whole. */
  readonly partialResponse: boolean;
  readonly signal: AbortSignal | undefined;
}

export interface AgentAnswer<T> {
  readonly agent: Agent;
  readonly value: T;
}

/**
 * Asks every agent in parallel, each within its own deadline and once only: a second try would double the load just when
 * an agent is slow. An agent that fails or is late counts as a whole; nothing of a broken answer is used.
 *
 * @param annotations receives `node "…": reason` for every node that is missing
 * @throws PromletError `federation/partial` naming the node, at the first failure, when partial answers are not wanted;
 *   the signal's reason; what is said of our own memory, and bugs of our own, as they are
 */
export async function fanOut<T>(
  options: FanOutOptions,
  annotations: Annotations,
  ask: (agent: Agent, signal: AbortSignal) => Promise<T>,
): Promise<AgentAnswer<T>[]> {
  const { directory, limits, signal } = options;
  signal?.throwIfAborted();
  const failures = directory.missing().map(({ node, reason }) => `node "${node}": ${reason}`);
  if (failures.length > 0 && !options.partialResponse) throw partialError(failures);

  // Ends what still runs when the whole fails.
  const whole = new AbortController();
  const stop = (): void => whole.abort(signal?.reason);
  signal?.addEventListener('abort', stop, { once: true });
  const gate = new Gate(limits.maxConcurrentAgents);
  try {
    const answers = await Promise.all(
      directory.agents().map(async (agent): Promise<AgentAnswer<T> | undefined> => {
        await gate.enter(whole.signal);
        try {
          return { agent, value: await withDeadline(options, whole.signal, (within) => ask(agent, within)) };
        } catch (error) {
          if (whole.signal.aborted || !isAgentFault(error)) throw error;
          failures.push(`node "${agent.node}": ${reasonOf(error)}`);
          if (!options.partialResponse) throw partialError(failures);
          return undefined;
        } finally {
          gate.leave();
        }
      }),
    );
    for (const failure of failures.sort()) annotations.warn(failure);
    return answers.filter((answer) => answer !== undefined);
  } catch (error) {
    whole.abort(error);
    throw error;
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

function partialError(failures: readonly string[]): PromletError {
  return new PromletError('federation/partial', `the answer would not be complete: ${failures.join('; ')}`);
}

async function withDeadline<T>(
  { clock, limits }: FanOutOptions,
  whole: AbortSignal,
  ask: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const own = new AbortController();
  const timer = clock.setTimer(() => {
    own.abort(new PromletError('federation/timeout', `no complete answer within ${limits.agentTimeoutMs} ms`));
  }, limits.agentTimeoutMs);
  const stop = (): void => own.abort(whole.reason);
  whole.addEventListener('abort', stop, { once: true });
  try {
    return await ask(own.signal);
  } catch (error) {
    // Whatever the aborted request threw, the deadline is why.
    throw own.signal.aborted ? own.signal.reason : error;
  } finally {
    timer.cancel();
    whole.removeEventListener('abort', stop);
  }
}

/** What an agent or the network did, as opposed to our own bugs and limits. System errors have a code. */
function isAgentFault(error: unknown): boolean {
  if (error instanceof AssertionError || !(error instanceof Error) || !('code' in error)) return false;
  if (!(error instanceof PromletError)) return true;
  return /^(remote|federation|model)\//.test(error.code);
}

/** Node's error for several addresses that all failed has an empty message and a code. */
function reasonOf(error: unknown): string {
  const message = errorMessage(error);
  return message === '' && error instanceof Error && 'code' in error ? String(error.code) : message;
}
