/**
 * The real Claude Code against one fault of the twin, and all that came of it: how it ended, what it
 * printed, what it said of its retries, and which requests the twin saw.
 */
import assert from 'node:assert/strict';
import { cp, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type Fault, type FaultMatch, startTwin, type Twin } from '../../src/twin/index.ts';
import { directLine, entranceOf, leading, messages, outcomeOf } from './ask.ts';
import { startClaude } from './claude.ts';
import { type Cleanup, tempHome } from './home.ts';
import type { Rig } from './rig.ts';

export type Persona = 'anthropic' | 'zai';

/** Where its requests go, and what leads them there. */
export interface Field {
  readonly twin: Twin;
  readonly persona: Persona;
  readonly env: Readonly<Record<string, string>>;
}

export interface Encounter {
  readonly fault: Fault;
  readonly match?: FaultMatch;
  readonly model: string;
  /** The next is said when the answer to the one before is there and `between` has resolved. */
  readonly prompts: readonly string[];
  readonly between?: ((twin: Twin) => Promise<void>) | undefined;
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
}

/** What its last result says. */
export interface Result {
  readonly is_error: boolean;
  readonly result: string;
  readonly subtype: string;
  readonly api_error_status: number | null;
  readonly terminal_reason: string;
}

/** An `api_retry` of its stream-json output. */
export interface Retry {
  readonly attempt: number;
  readonly max_retries: number;
  /** The step of its ladder: 0 for about 0.6 s, and one more for each doubling. */
  readonly step: number;
  readonly error_status: number | null;
  readonly error: string;
}

export interface Seen {
  readonly code: number | null;
  readonly results: readonly Result[];
  readonly retries: readonly Retry[];
  /** Kind and status of each POST that the twin saw, in order; 0: the head of an answer never left. */
  readonly posts: readonly string[];
}

interface Line {
  readonly type: string;
  readonly subtype?: string;
}

const LADDER_MS = 575;
/** What a text takes from one request or one run: ids, and the address that it was led to. */
const OWN = /\b(?:req_|msg_|lk_)?(?=[A-Za-z]*\d)[0-9A-Za-z]{13,}\b|\b127\.0\.0\.1:\d+/g;

/** A HOME that was started in before: a run in a copy of it waits for nothing. */
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

/** Past the proxy: through a blind tunnel to Anthropic, or with zai as its base URL. */
export async function directField(t: Cleanup, persona: Persona): Promise<Field> {
  if (persona === 'anthropic') {
    const line = await directLine(t);
    return { twin: line.twin, persona, env: leading('mitm', line) };
  }
  const twin = await startTwin();
  t.after(() => twin.close());
  const { zai } = twin;
  const bundle = path.join(await tempHome(t), 'twin-ca.pem');
  await writeFile(bundle, zai.ca);
  const env = leading('gateway', { url: `${zai.origin}${zai.basePath}`, bundlePath: bundle });
  return {
    twin,
    persona,
    env: { ...env, ANTHROPIC_API_KEY: zai.key ?? '', NODE_EXTRA_CA_CERTS: bundle },
  };
}

/** Through the proxy, in the same shape. */
export function proxiedField(rig: Rig, persona: Persona): Field {
  const shape = persona === 'anthropic' ? 'mitm' : 'gateway';
  return { twin: rig.twin, persona, env: leading(shape, entranceOf(rig)) };
}

/** One run of it, in a copy of the warm HOME. */
export async function meet(
  t: Cleanup,
  warm: string,
  { twin, persona, env }: Field,
  { fault, match, ...asked }: Encounter,
): Promise<Seen> {
  const home = await tempHome(t);
  await cp(warm, home, { recursive: true });
  const isOfConnection = fault.kind === 'slow_tls' || fault.kind === 'idle_close';
  // Its control calls are let alone.
  const where = isOfConnection ? { persona } : { persona, path: '/v1/messages', ...match };
  await twin.setFaults({ rules: [{ match: where, fault }] });
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
  const results: Result[] = [];
  const retries: Retry[] = [];
  const say = (): void => {
    const content = asked.prompts[results.length];
    if (content === undefined) {
      child.stdin?.end();
      return;
    }
    const line = { type: 'user', message: { role: 'user', content } };
    child.stdin?.write(`${JSON.stringify(line)}\n`);
  };
  const hear = (line: Line): void => {
    if (line.subtype === 'api_retry') retries.push(retryOf(line));
    if (line.type !== 'result') return;
    results.push(resultOf(line));
    const isLast = results.length === asked.prompts.length;
    Promise.resolve(isLast ? undefined : asked.between?.(twin)).then(say, () => {
      child.kill('SIGKILL');
    });
  };
  let partial = '';
  child.stdout?.on('data', (text: string) => {
    const lines = `${partial}${text}`.split('\n');
    partial = lines.pop() ?? '';
    for (const line of lines) hear(JSON.parse(line) as Line);
  });
  say();
  const run = await done;
  assert.equal(results.length, asked.prompts.length, `${run.stderr}${run.stdout}`);
  return { code: run.code, results, retries, posts: messages(twin[persona]).map(postOf) };
}

function postOf({ body, answer }: ReturnType<typeof messages>[number]): string {
  const { stream } = JSON.parse(body.toString()) as { stream?: boolean };
  return `${stream === true ? 'stream' : 'nonstream'} ${answer.status}`;
}

function retryOf(line: Line): Retry {
  const event = line as unknown as Retry & { readonly retry_delay_ms: number };
  const { attempt, max_retries, retry_delay_ms, error_status, error } = event;
  const step = Math.max(0, Math.round(Math.log2(retry_delay_ms / LADDER_MS)));
  return { attempt, max_retries, step, error_status, error };
}

function resultOf(line: Line): Result {
  const event = line as unknown as Result;
  const { subtype, is_error, result, api_error_status, terminal_reason } = event;
  const text = String(result).replaceAll(OWN, '…');
  return { subtype, is_error, result: text, api_error_status, terminal_reason };
}
