/**
 * Claude Code as a drill's client: a turn is an exchange. It keeps a process for each model, since a
 * start takes longer than a turn, and renews it now and then: conversations grow, and starts are to be
 * seen too.
 *
 * One turn may make several requests: one for each tool it uses, and the agent's own retries.
 */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { type AgentProcess, agentProcess, type TurnOutcome } from './claude-process.ts';
import { type Turn, type TurnSetting, turnOf } from './claude-turn.ts';
import type { DrillClient, DrillRequest, Heard } from './types.ts';

/** The models by the names that Claude Code has for the newest of each family. */
export type ClaudeModel = 'haiku' | 'sonnet';

/** How Claude Code is run. */
export interface ClaudeOptions extends TurnSetting {
  /** Starts a process for a model; how it is led to the proxy is the caller's. */
  readonly start: (model: ClaudeModel) => ChildProcessWithoutNullStreams;
  /** Turns of one process, at least 1; 1 is a process for each turn. */
  readonly turnsMax: number;
  /** Silence after which a turn is given up, ms. */
  readonly stallMs: number;
  /** Told in words what went wrong with a turn. */
  readonly tell: (trouble: string) => void;
}

const OK = 200;
const SHOWN_CHARS_MAX = 160;
const ABANDONED: TurnOutcome = {
  failure: 'abandoned',
  why: '',
  status: 0,
  text: '',
  sent: false,
  ttfbMs: null,
  latencyMs: 0,
};

interface Seat {
  readonly process: AgentProcess;
  turns: number;
}

/** A client whose processes are started when they are first needed. */
export function createClaudeClient(options: ClaudeOptions): DrillClient {
  const seats = new Map<ClaudeModel, Seat>();
  let closed = false;
  const seatOf = (model: ClaudeModel): Seat => {
    const taken = seats.get(model);
    if (taken?.process.usable === true) return taken;
    const process = agentProcess(options.start(model), options.stallMs);
    const seat = { process, turns: 0 };
    seats.set(model, seat);
    return seat;
  };
  return {
    ask: async (request) => {
      const turn = turnOf(request, options);
      if (closed) return heardOf(turn, ABANDONED);
      const model = request.model.includes('haiku') ? 'haiku' : 'sonnet';
      const seat = seatOf(model);
      seat.turns += 1;
      const outcome = await seat.process.ask(turn.prompt);
      const heard = heardOf(turn, outcome);
      // What a turn asked that failed would be asked again with the next one of the conversation.
      const isBroken = heard.failure !== null || heard.status !== OK;
      if ((isBroken || seat.turns >= options.turnsMax) && !closed) {
        seats.delete(model);
        await seat.process.end();
      }
      const trouble = troubleOf(request, turn, outcome, heard);
      if (trouble !== null) options.tell(`claude, model ${model}, ${trouble}`);
      return heard;
    },
    close: async () => {
      closed = true;
      const processes = [...seats.values()].map((seat) => seat.process);
      // One that is within a turn is not waited for.
      for (const process of processes) if (!process.usable) process.kill('abandoned');
      await Promise.all(processes.map((process) => process.end()));
    },
  };
}

function heardOf({ expected }: Turn, outcome: TurnOutcome): Heard {
  const { failure, status, text, sent, ttfbMs, latencyMs } = outcome;
  const other = status === OK && expected !== null && text !== expected;
  return {
    status,
    own: null,
    requestId: null,
    bytes: Buffer.byteLength(text),
    sha256: null,
    ended: failure === null,
    closed: failure === null && text !== '',
    stream: null,
    ttfbMs,
    latencyMs,
    failure: failure ?? (other ? 'altered' : null),
    sent,
  };
}

function troubleOf(
  { tag }: DrillRequest,
  { expected }: Turn,
  { why, text }: TurnOutcome,
  { failure, status }: Heard,
): string | null {
  if (failure === 'abandoned') return null;
  if (failure === 'altered') {
    return `${tag}: it showed ${shown(text)} in place of ${shown(expected ?? '')}`;
  }
  if (failure !== null) return `${tag}: ${failure}: ${shown(why)}`;
  return status === OK ? null : `${tag}: HTTP ${status}: ${shown(why)}`;
}

/** On one line, and not too long. */
function shown(text: string): string {
  const whole = JSON.stringify(text);
  return whole.length > SHOWN_CHARS_MAX ? `${whole.slice(0, SHOWN_CHARS_MAX)}…` : whole;
}
