/** Which fault befalls which request: matching, counting, replay; plans that are refused; control. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from '../../test/support/properties.ts';
import { overHttp1 } from '../../test/support/twin-faults.ts';
import { faultEngine } from './faults.ts';
import {
  type FaultMatch,
  type FaultPlan,
  FaultPlanError,
  type PersonaName,
  parsePlan,
  startTwin,
} from './index.ts';
import { checkPlan } from './plan.ts';

const LATENCY = { kind: 'latency', ms: 0 } as const;

/** For each of `count` requests: whether the only rule applied. */
function hits(match: FaultMatch, count: number, persona: PersonaName = 'anthropic', seed = 1) {
  const engine = faultEngine(seed);
  engine.set({ rules: [{ match, fault: LATENCY }] });
  return Array.from({ length: count }, () => {
    const { fault } = engine.request(persona, candidate());
    return fault !== null;
  });
}

function candidate(body: object = {}, path = '/v1/messages', protocol: 'h1' | 'h2' = 'h1') {
  return {
    protocol,
    request: {
      method: 'POST',
      target: `${path}?beta=true`,
      path,
      fields: [['X-Api-Key', 'k']] as const,
      body: Buffer.from(JSON.stringify(body)),
    },
  };
}

test('skip, every and times count the requests that match', () => {
  const at = (match: FaultMatch, count: number): number[] =>
    hits(match, count).flatMap((hit, index) => (hit ? [index + 1] : []));
  assert.deepEqual(at({}, 3), [1, 2, 3]);
  assert.deepEqual(at({ every: 3 }, 9), [3, 6, 9]);
  assert.deepEqual(at({ skip: 2, every: 2, times: 2 }, 12), [4, 6]);
  assert.deepEqual(at({ times: 1 }, 3), [1]);
  assert.deepEqual(at({ persona: 'zai' }, 3), []);
});

test('a rate is drawn from the seed: it replays, and differs by seed and persona', () => {
  const draws = hits({ rate: 0.3 }, 400);
  assert.deepEqual(hits({ rate: 0.3 }, 400), draws);
  assert.notDeepEqual(hits({ rate: 0.3 }, 400, 'anthropic', 2), draws);
  assert.notDeepEqual(hits({ rate: 0.3 }, 400, 'zai'), draws);
  const share = draws.filter(Boolean).length / draws.length;
  assert(share > 0.2 && share < 0.4, `${share}`);
  assert(!hits({ rate: 0 }, 100).includes(true));
  assert(!hits({ rate: 1 }, 100).includes(false));
});

test('what others ask meanwhile changes nothing of what one persona meets', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 60 }), (order) => {
      const engine = faultEngine(9);
      engine.set({ rules: [{ match: { rate: 0.5 }, fault: LATENCY }] });
      const met: boolean[] = [];
      for (const mine of order) {
        const { fault } = engine.request(mine ? 'anthropic' : 'zai', candidate());
        if (mine) met.push(fault !== null);
      }
      assert.deepEqual(met, hits({ rate: 0.5 }, met.length, 'anthropic', 9));
    }),
    { numRuns: 30 },
  );
});

test('a match is by path, model, stream and header; the first rule that applies decides', () => {
  const engine = faultEngine(1);
  const html = { kind: 'html' } as const;
  const match: FaultMatch = {
    path: '/v1/mess*',
    model: '*haiku*',
    stream: true,
    header: 'x-api-key',
  };
  engine.set({ rules: [{ match, fault: html }, { fault: LATENCY }] });
  const kind = (body: object, path?: string) =>
    engine.request('anthropic', candidate(body, path)).fault?.kind;
  const model = 'claude-haiku-5-5';
  assert.equal(kind({ model, stream: true }), 'html');
  assert.equal(kind({ model, stream: false }), 'latency');
  assert.equal(kind({ model: 'claude-opus-5-5', stream: true }), 'latency');
  assert.equal(kind({ model, stream: true }, '/v1/models'), 'latency');
  engine.set({ rules: [{ match: { header: 'authorization' }, fault: html }] });
  assert.equal(kind({ model }), undefined);
});

test('the report counts for each persona', () => {
  const engine = faultEngine(5);
  engine.set({ rules: [{ match: { every: 2 }, fault: LATENCY }] });
  for (const persona of ['zai', 'zai', 'anthropic'] as const) {
    engine.request(persona, candidate());
  }
  const report = engine.report();
  assert.equal(report.seed, 5);
  assert.deepEqual(
    [report.rules[0]?.zai, report.rules[0]?.anthropic],
    [
      { seen: 2, fired: 1 },
      { seen: 1, fired: 0 },
    ],
  );
});

test('the example is a plan', async () => {
  const file = new URL('../../examples/faults.yaml', import.meta.url);
  const plan = await parsePlan(readFileSync(file, 'utf8'));
  assert(plan.rules.length >= 10);
});

const BAD: readonly (readonly [what: string, text: string, line: number, says: RegExp])[] = [
  ['an unknown key', 'rules: []\nrule: 1', 2, /rule: unknown setting\n.*known here: seed, rules/],
  [
    'an unknown match',
    'rules:\n- match:\n    mode: x\n  fault: {kind: html}',
    3,
    /match.mode: unk/,
  ],
  ['an unknown kind', 'rules:\n- fault: {kind: fire}', 2, /can not be "fire"\n.*one of status, /],
  [
    'a foreign setting',
    'rules:\n- fault:\n    kind: html\n    ms: 1',
    4,
    /known here: kind, status/,
  ],
  ['a value out of range', 'rules:\n- fault: {kind: status, status: 200}', 2, /400 to 599/],
  ['a missing value', 'rules:\n- fault: {kind: drip, bytes: 1}', 2, /every_ms: is missing/],
  ['a missing fault', 'rules:\n- match: {}', 2, /fault: is missing/],
  ['a rate beyond 1', 'rules:\n- match: {rate: 2}\n  fault: {kind: html}', 2, /share from 0 to 1/],
  [
    'a path for a connection',
    'rules:\n- match: {path: /}\n  fault: {kind: slow_tls, ms: 1}',
    2,
    /match.path: is of a request/,
  ],
  [
    'two points',
    'rules:\n- fault: {kind: stall_mid_stream, after_events: 1, after_bytes: 1}',
    2,
    /beside after_events/,
  ],
  ['no rules', 'seed: 1', 1, /rules: is missing/],
  ['no map', '- 1', 1, /can not be a list/],
  ['YAML that is none', 'rules:\n  - a: [', 2, /not valid YAML/],
  [
    'a field with a line end',
    'rules:\n- fault: {kind: status, status: 500, headers: {a: "b\\n"}}',
    2,
    /headers/,
  ],
];

for (const [what, text, line, says] of BAD) {
  test(`a plan with ${what} is refused, with line and mend`, async () => {
    await assert.rejects(parsePlan(text, 'plan.yaml'), (error) => {
      assert(error instanceof FaultPlanError);
      assert.match(error.message, says);
      const [problem] = error.problems;
      assert(problem !== undefined && problem.mend !== '');
      if (problem.line !== null) assert.equal(problem.line, line);
      return true;
    });
  });
}

test('any value at all is a plan or refused as one', async () => {
  await fc.assert(
    fc.asyncProperty(fc.jsonValue(), async (value) => {
      const rules = [{ fault: value }, value];
      await checkPlan({ rules, more: value }).then(
        () => assert.fail('it was taken'),
        (error) => {
          assert(error instanceof FaultPlanError);
        },
      );
    }),
    { numRuns: 60 },
  );
});

test('control calls set, show and lift a plan, on either port, and leave no trace', async (t) => {
  const twin = await startTwin();
  t.after(() => twin.close());
  const call = async (method: string, path: string, body = '') => {
    const seen = await overHttp1(twin.zai, { method, path, body, fields: {} });
    return { status: seen.status, json: JSON.parse(seen.body.toString()) as object };
  };
  const plan: FaultPlan = { seed: 3, rules: [{ match: { times: 1 }, fault: { kind: 'html' } }] };
  const set = await call('POST', '/__twin/faults', JSON.stringify(plan));
  assert.equal(set.status, 200);
  const fields = { 'x-api-key': 'sk-ant-api03-fake-canary' };
  const prompt = 'CANARY-IN-THE-PROMPT';
  await overHttp1(twin.anthropic, { fields, prompt, path: '/v1/messages?key=CANARY' });
  const shown = (await call('GET', '/__twin/faults')).json;
  assert.deepEqual(shown, twin.faults());
  assert.deepEqual(twin.faults().rules[0]?.anthropic, { seen: 1, fired: 1 });
  assert.equal(twin.zai.requests().length, 0, 'control calls are not recorded');

  const { body } = await overHttp1(twin.anthropic, {
    method: 'GET',
    path: '/__twin/requests',
    body: '',
  });
  assert.doesNotMatch(body.toString(), /canary/i);
  const { requests } = JSON.parse(body.toString()) as { requests: Record<string, unknown>[] };
  assert.deepEqual(
    [requests.length, requests[0]?.['path'], requests[0]?.['fault']],
    [1, '/v1/messages', 'html'],
  );
  const bad = await call('POST', '/__twin/faults', '{"rules":[{}]}');
  assert.equal(bad.status, 400);
  assert.match(JSON.stringify(bad.json), /fault: is missing/);
  assert.equal((await call('POST', '/__twin/faults', 'rules:')).status, 400);
  assert.equal(twin.faults().rules.length, 1, 'a plan that is refused changes nothing');
  assert.equal((await call('DELETE', '/__twin/faults')).status, 200);
  assert.equal(twin.faults().rules.length, 0);
  assert.equal((await call('GET', '/__twin/else')).status, 404);
});

test('startTwin takes a plan, and refuses a bad one before it listens', async (t) => {
  const twin = await startTwin({ faults: { rules: [{ fault: { kind: 'html' } }] } });
  t.after(() => twin.close());
  assert.match((await overHttp1(twin.anthropic)).body.toString(), /html/);
  const bad = { rules: [{ fault: { kind: 'fire' } }] } as unknown as FaultPlan;
  await assert.rejects(startTwin({ faults: bad }), FaultPlanError);
});

test('docs/twin.md names every kind of fault and every match', async () => {
  const text = readFileSync(new URL('../../docs/twin.md', import.meta.url), 'utf8');
  const { settingAt } = await import('./plan-schema.ts');
  const kinds = settingAt(['rules', 0, 'fault', 'kind'], null).description ?? '';
  for (const kind of kinds.replace('one of ', '').split(', ')) {
    assert(text.includes(`| \`${kind}\` |`), kind);
    for (const name of settingAt(['rules', 0, 'fault'], kind).names.slice(1)) {
      assert(text.includes(`\`${name}\``), `${kind}: ${name}`);
    }
  }
  for (const name of settingAt(['rules', 0, 'match'], null).names) {
    assert(text.includes(`| \`${name}\` |`), name);
  }
});
