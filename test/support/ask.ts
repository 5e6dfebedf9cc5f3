/**
 * What the tests with Claude Code share: leading it to a proxy or past it, one prompt in a fresh HOME,
 * and reading what came of it.
 */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { UsageRecord } from '../../src/ledger/record.ts';
import { mintServer } from '../../src/pki/authority.ts';
import {
  type ReceivedRequest,
  startTwin,
  type Twin,
  type TwinEndpoint,
} from '../../src/twin/index.ts';
import { type ClaudeRun, runClaude } from './claude.ts';
import { type Cleanup, tempHome } from './home.ts';
import type { Rig } from './rig.ts';
import { tunnelProxy } from './tunnel-proxy.ts';

const HOST = 'api.anthropic.com';
/** What Claude Code asks for at its start, beside the model. */
export const CONTROL_PATHS = [
  '/api/claude_code/policy_limits',
  '/api/claude_code/settings',
] as const;

/** How Claude Code is led to the proxy; `absolute`: by both variables at once. */
export type Shape = 'mitm' | 'gateway' | 'absolute';

/** Where it is led to, and what it has to trust there. */
export interface Entrance {
  readonly url: string;
  readonly bundlePath: string;
}

/** Default: intercepted, Haiku, a prompt without directives. */
export interface Ask {
  readonly shape?: Shape;
  readonly model?: string;
  readonly prompt?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** The environment for a shape. */
export function leading(shape: Shape, { url, bundlePath }: Entrance): Record<string, string> {
  switch (shape) {
    case 'mitm':
      return { HTTPS_PROXY: url, NODE_EXTRA_CA_CERTS: bundlePath };
    case 'gateway':
      return { ANTHROPIC_BASE_URL: url };
    case 'absolute':
      return { ANTHROPIC_BASE_URL: url, HTTPS_PROXY: url };
  }
}

/** One `claude -p` in a fresh HOME. */
export async function ask(t: Cleanup, entrance: Entrance, asked: Ask = {}): Promise<ClaudeRun> {
  const { shape = 'mitm', model = 'haiku', prompt = 'hello', args = [], env = {} } = asked;
  return runClaude({
    home: await tempHome(t),
    env: { ...leading(shape, entrance), ...env },
    args: ['-p', prompt, '--model', model, '--output-format', 'json', ...args],
  });
}

/** What it prints with `--output-format json`, as far as it matters here. */
export interface Outcome {
  readonly result: unknown;
  readonly session_id: string;
}

/** Its outcome; asserts that it ended well. */
export function outcomeOf(run: ClaudeRun): Outcome {
  assert.equal(run.code, 0, `${run.stderr}${run.stdout}`);
  return JSON.parse(run.stdout) as Outcome;
}

/** The answer that it shows; asserts that it ended well. */
export function resultOf(run: ClaudeRun): unknown {
  return outcomeOf(run).result;
}

/** The requests for an answer of a model that came to an upstream. */
export function messages(endpoint: TwinEndpoint): readonly ReceivedRequest[] {
  return endpoint.requests().filter(({ path: target }) => /\/v1\/messages(\?|$)/.test(target));
}

/** The model that a request asks for. */
export function modelOf({ body }: ReceivedRequest): string {
  return (JSON.parse(body.toString()) as { model: string }).model;
}

/** Lane, decision and agent of each exchange of the Messages API, in order of beginning. */
export function story(records: readonly UsageRecord[]): string[] {
  return records
    .filter((record) => record.path === '/v1/messages')
    .toSorted((a, b) => a.ts - b.ts)
    .map(({ model, lane, decision, agent }) => {
      return `${model?.split('-')[1]} ${lane} ${decision} ${agent}`;
    });
}

/** Asserts that every exchange was delivered whole, and every stream ended and counted. */
export function assertWhole(records: readonly UsageRecord[]): void {
  for (const record of records) {
    assert.equal(record.intact, true, JSON.stringify(record));
    if (record.path !== '/v1/messages') continue;
    assert.equal(record.status, 200);
    assert.equal(record.sse, 'complete');
    assert(record.output_tokens !== null && record.output_tokens > 0);
  }
}

/** A directive that has the main loop call a Haiku subagent. */
export function spawnHaiku(said: string): string {
  const input = {
    description: 'look around',
    prompt: `[twin: say ${said}]`,
    subagent_type: 'general-purpose',
    model: 'haiku',
    run_in_background: false,
  };
  return `[twin: tool Agent ${JSON.stringify(input)}]`;
}

/** A line past the proxy: a twin that passes for the Messages API, behind a CONNECT proxy that leads to it and no further. */
export async function directLine(
  t: Cleanup,
): Promise<Entrance & { twin: Twin; anthropic: TwinEndpoint }> {
  const home = await tempHome(t);
  const certificate = await mintServer({ names: [HOST], ips: [], now: new Date() });
  const twin = await startTwin({ certificate });
  t.after(() => twin.close());
  const proxy = await tunnelProxy(t, `${HOST}:443`, twin.anthropic);
  const bundlePath = path.join(home, 'twin-ca.pem');
  await writeFile(bundlePath, twin.anthropic.ca);
  return { url: `http://127.0.0.1:${proxy.port}`, bundlePath, twin, anthropic: twin.anthropic };
}

/** The proxy of a rig, as it is led there. */
export function entranceOf({ proxy }: Rig): Entrance {
  return { url: proxy.url, bundlePath: proxy.bundlePath };
}

/** End-to-end fields in order; the value of Host is the upstream's own. */
export function comparable(
  fields: readonly (readonly [string, string])[],
): (readonly [string, string])[] {
  return fields
    .filter(([name]) => !/^(proxy-)?connection$/i.test(name))
    .map(([name, value]) => [name, name.toLowerCase() === 'host' ? '' : value] as const);
}
