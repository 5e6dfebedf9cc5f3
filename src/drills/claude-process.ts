/**
 * One process of Claude Code that takes turns on its standard input and reports them on its standard
 * output. It ends when its input does and no turn is under way.
 */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { AGENT_END_MS_MAX, AGENT_STDERR_CHARS_MAX } from '../core/limits.ts';
import { type AgentEvent, createLineCutter, readEvent } from './claude-lines.ts';
import type { FailureKind } from './types.ts';

/** How a turn went. */
export interface TurnOutcome {
  readonly failure: FailureKind | null;
  /** For people: why it failed. Empty where it did not. */
  readonly why: string;
  /** 200, or that of the error answer; 0 where no answer was told of. */
  readonly status: number;
  /** What was shown. */
  readonly text: string;
  /** The proxy must have seen a request. */
  readonly sent: boolean;
  /** From the start of the turn, ms; null where no answer began. */
  readonly ttfbMs: number | null;
  readonly latencyMs: number;
}

/** A process that takes one turn at a time. */
export interface AgentProcess {
  /** It takes another turn. */
  readonly usable: boolean;
  ask(prompt: string): Promise<TurnOutcome>;
  /** Fails the turn under way, if any, and ends the process at once. */
  kill(failure: FailureKind): void;
  /** Lets it end, or ends it where it takes too long. Resolves when it is gone. */
  end(): Promise<void>;
}

interface UnderWay {
  readonly started: number;
  ttfbMs: number | null;
  readonly resolve: (outcome: TurnOutcome) => void;
}

const OK = 200;
/** With these, and no sign of an answer, the agent may never have asked. */
const MAY_BE_UNSENT: ReadonlySet<FailureKind | null> = new Set(['died', 'protocol']);

/**
 * Takes over a process that was just started.
 *
 * @param stallMs silence of the process within a turn after which the turn is given up, ms
 */
export function agentProcess(child: ChildProcessWithoutNullStreams, stallMs: number): AgentProcess {
  let current: UnderWay | null = null;
  let usable = true;
  let complaint = '';
  const silence = setTimeout(() => kill('stall', `silent for ${stallMs} ms`), stallMs);
  silence.unref();
  const gone = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
    child.once('error', () => resolve());
  });

  const settle = (how: Pick<TurnOutcome, 'failure' | 'why' | 'status' | 'text'>): void => {
    const over = current;
    if (over === null) return;
    current = null;
    const { ttfbMs, started } = over;
    const began = ttfbMs !== null || !MAY_BE_UNSENT.has(how.failure);
    over.resolve({ ...how, sent: began, ttfbMs, latencyMs: performance.now() - started });
  };
  const fail = (failure: FailureKind, why: string): void => {
    usable = false;
    settle({ failure, why, status: 0, text: '' });
  };
  const kill = (failure: FailureKind, why: string): void => {
    if (current === null && failure === 'stall') return;
    fail(failure, why);
    child.kill('SIGKILL');
  };
  const take = (event: AgentEvent): void => {
    if (current === null) return;
    if (event.kind === 'began') current.ttfbMs ??= performance.now() - current.started;
    if (event.kind === 'ended') settle(outcomeOf(event));
  };
  const lines = createLineCutter();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    silence.refresh();
    const whole = lines.push(text);
    if (whole === null) return kill('protocol', 'a line without end');
    for (const line of whole) {
      const event = readEvent(line);
      if (event === null) return kill('protocol', `it printed: ${line}`);
      take(event);
    }
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-AGENT_STDERR_CHARS_MAX);
  });
  // A process that is gone takes no more input; that it is gone is told below.
  child.stdin.on('error', () => undefined);
  child.once('error', (error) => fail('died', error.message));
  child.once('close', (code, signal) => {
    clearTimeout(silence);
    fail('died', `it ended with ${signal ?? `exit code ${code}`}: ${complaint.trim()}`);
  });
  return {
    get usable() {
      return usable && current === null;
    },
    ask: (prompt) =>
      new Promise((resolve) => {
        current = { started: performance.now(), ttfbMs: null, resolve };
        silence.refresh();
        const message = { type: 'user', message: { role: 'user', content: prompt } };
        child.stdin.write(`${JSON.stringify(message)}\n`);
      }),
    kill: (failure) => kill(failure, 'the drill is over'),
    end: async () => {
      usable = false;
      child.stdin.end();
      const timer = setTimeout(() => child.kill('SIGKILL'), AGENT_END_MS_MAX);
      await gone;
      clearTimeout(timer);
    },
  };
}

function outcomeOf({ text, failed, status }: Extract<AgentEvent, { kind: 'ended' }>) {
  if (!failed) return { failure: null, why: '', status: OK, text };
  // An error answer that came whole is an answer: its status tells.
  if (status !== null) return { failure: null, why: text, status, text };
  return { failure: 'gave_up' as const, why: text, status: 0, text };
}
