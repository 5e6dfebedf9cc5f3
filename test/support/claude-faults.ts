/**
 * One prompt of the real Claude Code against a fault of the twin, and all that came of it: how it
 * ended, what it printed, what it said of its retries, and which requests the twin saw.
 */
import assert from 'node:assert/strict';
import { cp, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Fault, FaultMatch, Twin } from '../../src/twin/index.ts';
import { directLine, leading, messages, outcomeOf } from './ask.ts';
import { startClaude } from './claude.ts';
import { type Cleanup, tempHome } from './home.ts';

/** Where the requests go and what befalls them there. */
export interface Battlefield {
  readonly twin: Twin;
  readonly persona: 'anthropic' | 'zai';
  /** What leads Claude Code there. */
  readonly env: Readonly<Record<string, string>>;
}

export interface FaultAsk {
  readonly fault: Fault;
  readonly match?: FaultMatch;
  readonly model: string;
  /** One line each; the next is said once `between` has resolved. Default: five events. */
  readonly prompts?: readonly string[];
  readonly between?: (twin: Twin) => Promise<void>;
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
}

/** An `api_retry` of its stream-json output. */
export interface Retry {
  readonly attempt: number;
  readonly max_retries: number;
  readonly retry_delay_ms: number;
  readonly error_status: number | null;
  readonly error: string;
}

/** What its last `result` says. */
export interface Result {
  readonly subtype: string;
  readonly is_error: boolean;
  readonly result: string;
  readonly api_error_status: number | null;
  readonly terminal_reason: string;
}

export interface Seen {
  readonly code: number | null;
  readonly results: readonly Result[];
  readonly retries: readonly Retry[];
  /** Of each POST that the twin saw, in order: kind and status, 0 where no head was sent. */
  readonly posts: readonly string[];
  readonly ms: number;
}

const PROMPT = '[twin: events 5]';
/** What a request leaves in a text and is not the same twice. */
const IDS = /\b(req_|msg_)?[0-9A-Za-z]{18,}\b/g;

/** A HOME that has been started in before: nothing is waited for in the first run of a copy. */
export async function warmHome(t: Cleanup): Promise<string> {
  const line = await directLine(t);
  const home = await tempHome(t);
  const { child, done } = await startClaude({
    home,
    env: leading('mitm', line),
    args: ['-p', 'hello', '--model', 'haiku', '--output-format', 'json'],
  });
  child.stdin?.end();
  outcomeOf(await done);
  return home;
}

/** Runs it there, in a copy of that HOME. */
export async function meet(
  t: Cleanup,
  warm: string,
  { twin, persona, env }: Battlefield,
  asked: FaultAsk,
): Promise<Seen> {
  const home = await tempHome(t);
  await cp(warm, home, { recursive: true });
  const isOfConnection = asked.fault.kind === 'slow_tls' || asked.fault.kind === 'idle_close';
  const match = isOfConnection ? { persona } : { persona, path: '/v1/messages', ...asked.match };
  await twin.setFaults({ rules: [{ match, fault: asked.fault }] });
  const { child, done } = await startClaude({
    home,
    env: { CLAUDE_CODE_MAX_RETRIES: '1', ...env, ...asked.env },
    args: [
      ...['-p', '--model', asked.model, '--verbose'],
      ...['--input-format', 'stream-json', '--output-format', 'stream-json'],
      ...(asked.args ?? []),
    ],
  });
  t.after(() => void child.kill('SIGKILL'));
  const prompts = [...(asked.prompts ?? [PROMPT])];
  const results: Result[] = [];
  const retries: Retry[] = [];
  const say = (): void => {
    const content = prompts.shift();
    if (content === undefined) child.stdin?.end();
    else {
      const line = { type: 'user', message: { role: 'user', content } };
      child.stdin?.write(`${JSON.stringify(line)}\n`);
    }
  };
  let partial = '';
  child.stdout?.on('data', (text: string) => {
    const lines = `${partial}${text}`.split('\n');
    partial = lines.pop() ?? '';
    for (const line of lines) {
      const event = JSON.parse(line) as { type: string; subtype?: string };
      if (event.subtype === 'api_retry') retries.push(retryOf(event as unknown as Retry));
      if (event.type !== 'result') continue;
      results.push(resultOf(event as unknown as Result));
      const ready = prompts.length === 0 ? undefined : asked.between?.(twin);
      Promise.resolve(ready).then(say, () => child.kill('SIGKILL'));
    }
  });
  say();
  const run = await done;
  assert(results.length > 0, `no result: ${run.stderr}${run.stdout}`);
  const posts = messages(twin[persona]).map(({ body, answer }) => {
    const { stream } = JSON.parse(body.toString()) as { stream?: boolean };
    return `${stream === true ? 'stream' : 'nonstream'} ${answer.status}`;
  });
  return { code: run.code, results, retries, posts, ms: run.ms };
}

function retryOf(event: Retry): Retry {
  const { attempt, max_retries, retry_delay_ms, error_status, error } = event;
  return { attempt, max_retries, retry_delay_ms, error_status, error };
}

function resultOf(event: Result): Result {
  const { subtype, is_error, result, api_error_status, terminal_reason } = event;
  const text = String(result).replaceAll(IDS, 'ID');
  return { subtype, is_error, result: text, api_error_status, terminal_reason };
}

/** Writes the authority that Claude Code is to trust for a twin without a tunnel before it. */
export async function straightTo(t: Cleanup, twin: Twin): Promise<Battlefield> {
  const bundle = path.join(await tempHome(t), 'twin-ca.pem');
  await writeFile(bundle, twin.zai.ca);
  return {
    twin,
    persona: 'zai',
    env: {
      ANTHROPIC_BASE_URL: `${twin.zai.origin}${twin.zai.basePath}`,
      ANTHROPIC_API_KEY: twin.zai.key ?? '',
      NODE_EXTRA_CA_CERTS: bundle,
    },
  };
}
