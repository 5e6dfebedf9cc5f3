/**
 * Each fault of the twin as the real Claude Code meets it, without a proxy and through it: the same end,
 * the same words, the same retries at the same pace and the same requests at the upstream, and one
 * ledger record an exchange that tells it. Where the proxy says more than a bare connection can, or
 * mends what nothing was lost by, the case says so.
 *
 * What it means for users is told in docs/ERROR-TAXONOMY.md.
 */
import assert from 'node:assert/strict';
import { after, suite, test } from 'node:test';
import type { Config } from '../src/config/types.ts';
import type { UsageRecord } from '../src/ledger/record.ts';
import { skipReason } from './support/claude.ts';
import { FAULT_CASES, type FaultCase } from './support/claude-fault-cases.ts';
import {
  directField,
  type Encounter,
  meet,
  proxiedField,
  type Result,
  type Seen,
  warmHome,
} from './support/claude-faults.ts';
import { tempHome } from './support/home.ts';
import { type Rig, startRig } from './support/rig.ts';

const skip = skipReason() ?? false;
const PROMPTS = ['[twin: events 5]'];

const rows = new Map<string, string>();
const hooks: (() => Promise<void> | void)[] = [];
let warm: Promise<string> | null = null;

after(async () => {
  for (const hook of hooks) await hook();
  const table = FAULT_CASES.flatMap(({ name }) => rows.get(name) ?? []);
  console.log(['fault | direct | through the proxy | ledger', ...table].join('\n'));
});

function encounterOf(one: FaultCase): Encounter {
  const { fault, match, prompts = PROMPTS, between, env = {}, args = [] } = one;
  const model = one.lane === 'zai' ? 'haiku' : 'sonnet';
  return { fault, ...(match === undefined ? {} : { match }), model, prompts, between, env, args };
}

function lastOf({ results }: Seen): Result {
  const last = results.at(-1);
  assert(last !== undefined);
  return last;
}

function assertShows(seen: Seen, [exit, text]: FaultCase['shows']): void {
  const last = lastOf(seen);
  assert.match(last.result, text);
  assert.equal(seen.code, exit);
  assert.deepEqual([last.subtype, last.is_error], ['success', exit === 1]);
}

/** The pace of its retries; what they were for is another thing where the proxy says more. */
function paceOf({ retries }: Seen): unknown[] {
  return retries.map(({ attempt, max_retries, step }) => [attempt, max_retries, step]);
}

function assertAlike(one: FaultCase, direct: Seen, proxied: Seen): void {
  const { differs } = one;
  assert.deepEqual(direct.posts, one.posts);
  assertShows(direct, one.shows);
  assert.equal(direct.retries.length, one.retries ?? 0);
  if (differs === undefined) {
    assert.deepEqual(proxied, direct);
    return;
  }
  assert.deepEqual(proxied.posts, differs.posts ?? direct.posts);
  assertShows(proxied, differs.shows ?? one.shows);
  if (differs.retries === 0) assert.deepEqual(proxied.retries, []);
  else assert.deepEqual(paceOf(proxied), paceOf(direct));
}

function told({ op, status, err_type, sse, attempts, intact }: UsageRecord): string {
  return `${op} ${status} ${err_type} ${sse} x${attempts}${intact ? '' : ' broken'}`;
}

async function recordsOf(rig: Rig): Promise<UsageRecord[]> {
  const all = await rig.records(rig.proxy.control.status().exchanges.total);
  return all.filter(({ path }) => path === '/v1/messages').toSorted((a, b) => a.ts - b.ts);
}

function assertTold(one: FaultCase, records: readonly UsageRecord[]): void {
  assert.equal(records.length, one.records.length);
  for (const [index, record] of records.entries()) {
    const expected = one.records[index] ?? '';
    if (typeof expected === 'string') assert.equal(told(record), expected);
    else assert.match(told(record), expected);
  }
  for (const { lane, h2, retry, attempts, backoff_ms } of records) {
    assert.equal(lane, one.lane ?? 'anthropic');
    assert.equal(h2, one.h2 ?? false);
    assert.equal(retry, attempts > 1);
    assert.equal(backoff_ms, 0);
  }
}

function shortOf(seen: Seen): string {
  const { result } = lastOf(seen);
  return `${seen.posts.join(', ')}; ${seen.retries.length} retries; exit ${seen.code} ${result.slice(0, 60)}`;
}

test('an upstream that can not be trusted: it gives up at once, with and without the proxy', {
  skip,
}, async (t) => {
  const home = await tempHome(t);
  const encounter: Encounter = {
    fault: { kind: 'latency', ms: 0 },
    model: 'sonnet',
    prompts: PROMPTS,
    // Without control calls, whose failure a new HOME waits for.
    env: { ANTHROPIC_API_KEY: '', ANTHROPIC_AUTH_TOKEN: 'fake-token' },
  };
  const rig = await startRig(t, { config: withoutTrust });
  const { NODE_EXTRA_CA_CERTS: _, ...untrusting } = (await directField(t, 'anthropic')).env;
  const line = { ...(await directField(t, 'anthropic')), env: untrusting };
  const direct = await meet(t, home, line, encounter);
  const proxied = await meet(t, home, proxiedField(rig, 'anthropic'), encounter);
  assertShows(direct, [1, /SSL certificate verification failed/]);
  assertShows(proxied, [
    1,
    /502 Lanekeeper: the certificate of the upstream .*\[upstream_certificate]/,
  ]);
  for (const { retries, posts } of [direct, proxied]) assert.deepEqual([retries, posts], [[], []]);
  assert.deepEqual((await recordsOf(rig)).map(told), ['stream 502 net null x1 broken']);
});

function withoutTrust(config: Config): Config {
  const lane = config.lanes.get('anthropic');
  assert(lane !== undefined);
  const upstream = { ...lane.upstream, ca: null };
  return { ...config, lanes: new Map(config.lanes).set('anthropic', { ...lane, upstream }) };
}

suite('Claude Code meets the same with and without the proxy', { skip, concurrency: 3 }, () => {
  for (const one of FAULT_CASES) {
    test(one.name, async (t) => {
      warm ??= warmHome({ after: (hook) => void hooks.push(hook) });
      const home = await warm;
      const persona = one.lane ?? 'anthropic';
      const env = {
        ...(one.lane === 'zai' ? { FORCE_HAIKU_TO_ZAI: '1' } : {}),
        ...(one.h2 === true ? { MITM_HTTP2: '1' } : {}),
      };
      const rig = await startRig(t, { env });
      const encounter = encounterOf(one);
      const [direct, proxied] = await Promise.all([
        meet(t, home, await directField(t, persona), encounter),
        meet(t, home, proxiedField(rig, persona), encounter),
      ]);
      const records = await recordsOf(rig);
      const cells = [shortOf(direct), shortOf(proxied), records.map(told).join(', ')];
      rows.set(one.name, [one.name, ...cells, one.differs?.why ?? ''].join(' | '));
      assertAlike(one, direct, proxied);
      assertTold(one, records);
    });
  }
});
