/**
 * The real Claude Code through the whole: which lane its requests take, and what arrives there.
 *
 * Against the proxy as users start it where its answers and the ledger can judge; against one in
 * this process where a test must see what arrived.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { headerOf, startTwin } from '../src/twin/index.ts';
import {
  ask,
  assertWhole,
  CONTROL_PATHS,
  comparable,
  directLine,
  entranceOf,
  messages,
  modelOf,
  outcomeOf,
  resultOf,
  spawnHaiku,
  story,
} from './support/ask.ts';
import { skipReason } from './support/claude.ts';
import { startProxyProcess } from './support/proxy-process.ts';
import { startRig } from './support/rig.ts';
import { FAKE_API_KEY } from './support/sdk.ts';
import { wiretap } from './support/wiretap.ts';

const skip = skipReason() ?? false;
const FAMILIES = ['haiku', 'sonnet', 'opus'] as const;
const SHAPES = ['mitm', 'gateway', 'absolute'] as const;

suite('Claude Code takes its lanes', { skip, concurrency: 2 }, () => {
  for (const shape of SHAPES) {
    test(`without a key every family takes anthropic (${shape})`, async (t) => {
      const twin = await startTwin();
      t.after(() => twin.close());
      const proxy = await startProxyProcess(t, { twin });
      for (const model of FAMILIES) {
        assert.equal(resultOf(await ask(t, proxy, { shape, model })), 'ok from anthropic');
      }
      const controls = shape === 'mitm' ? 2 * FAMILIES.length : 0;
      const records = await proxy.records(FAMILIES.length + controls);
      assert.equal(records.length, FAMILIES.length + controls);
      assertWhole(records);
      assert.deepEqual(
        story(records),
        FAMILIES.map((family) => `${family} anthropic default main`),
      );
      assert.equal(twin.zai.requests().length, 0);
      assert(twin.anthropic.requests().every(({ protocol }) => protocol === 'h1'));
    });

    test(`forced, Haiku takes zai and the others do not (${shape})`, async (t) => {
      const proxy = await startProxyProcess(t, { env: { FORCE_HAIKU_TO_ZAI: '1' } });
      for (const model of FAMILIES) {
        const lane = model === 'haiku' ? 'zai' : 'anthropic';
        assert.equal(resultOf(await ask(t, proxy, { shape, model })), `ok from ${lane}`);
      }
      const records = await proxy.records(shape === 'mitm' ? 9 : 3);
      assertWhole(records);
      assert.deepEqual(story(records), [
        'haiku zai forced_model main',
        'sonnet anthropic default main',
        'opus anthropic default main',
      ]);
      const haiku = records.find(({ lane }) => lane === 'zai');
      assert.equal(haiku?.model_sent, 'glm-4.5-air');
      assert.equal(haiku?.header_mode, 'x-api-key');
    });
  }

  for (const shape of ['mitm', 'gateway'] as const) {
    test(`the calls of a Haiku subagent take zai, the main loop stays (${shape})`, async (t) => {
      const rig = await startRig(t);
      const prompt = `${spawnHaiku('one was here')}${spawnHaiku('two was here')}`;
      const run = await ask(t, entranceOf(rig), { shape, model: 'sonnet', prompt });
      assert.equal(resultOf(run), 'done from anthropic');
      const records = await rig.records(shape === 'mitm' ? 6 : 4);
      assertWhole(records);
      assert.deepEqual(story(records), [
        'sonnet anthropic default main',
        'haiku zai subagent subagent',
        'haiku zai subagent subagent',
        'sonnet anthropic default main',
      ]);
      assert.equal(new Set(records.flatMap(({ session }) => session ?? [])).size, 1);
      assert.deepEqual(messages(rig.twin.zai).map(modelOf), ['glm-4.5-air', 'glm-4.5-air']);
      const last = messages(rig.twin.anthropic).at(-1)?.body.toString() ?? '';
      assert(last.includes('one was here') && last.includes('two was here'));
    });
  }

  test('by default Haiku of the main loop stays on anthropic', async (t) => {
    const proxy = await startProxyProcess(t);
    assert.equal(resultOf(await ask(t, proxy)), 'ok from anthropic');
    assert.deepEqual(story(await proxy.records(3)), ['haiku anthropic default main']);
  });

  test('the control calls at start pass through, whatever is forced', async (t) => {
    const rig = await startRig(t, { env: { FORCE_HAIKU_TO_ZAI: '1' } });
    resultOf(await ask(t, entranceOf(rig)));
    const controls = (await rig.records(3)).filter((record) => record.path !== '/v1/messages');
    assert.deepEqual(controls.map((record) => record.path).toSorted(), CONTROL_PATHS);
    for (const { lane, decision, model, agent } of controls) {
      assert.deepEqual([lane, decision, model, agent], ['anthropic', 'passthrough', null, null]);
    }
    const arrived = rig.twin.anthropic.requests();
    assert.deepEqual(arrived.map((request) => request.path).toSorted(), CONTROL_PATHS);
    for (const { method, rawHeaders } of arrived) {
      assert.equal(method, 'GET');
      assert.equal(headerOf(rawHeaders, 'x-api-key'), FAKE_API_KEY);
    }
  });

  test('with both variables set it asks in absolute form, and what it sent is what arrives', async (t) => {
    const rig = await startRig(t);
    const { port, url } = rig.proxy;
    const wire = await wiretap(t, { host: '127.0.0.1', port });
    const run = await ask(
      t,
      { url, bundlePath: '' },
      { shape: 'gateway', env: { HTTPS_PROXY: wire.url } },
    );
    assert.equal(resultOf(run), 'ok from anthropic');
    const [sent, ...others] = wire.sent();
    assert(sent !== undefined && others.length === 0);
    const end = sent.indexOf('\r\n\r\n');
    const [line, ...lines] = sent.toString('latin1', 0, end).split('\r\n');
    assert.equal(line, `POST ${url}/v1/messages?beta=true HTTP/1.1`);
    const [arrived, ...more] = messages(rig.twin.anthropic);
    assert(arrived !== undefined && more.length === 0);
    assert.equal(arrived.path, '/v1/messages?beta=true');
    assert(arrived.body.equals(sent.subarray(end + 4)), 'the body arrives byte for byte');
    const fields = lines.map((field): [string, string] => {
      const colon = field.indexOf(':');
      return [field.slice(0, colon), field.slice(colon + 1).trim()];
    });
    assert.deepEqual(comparable(arrived.rawHeaders), comparable(fields));
  });

  test('intercepted, its requests arrive with the fields and keys of a direct line', async (t) => {
    const direct = await directLine(t);
    const rig = await startRig(t);
    resultOf(await ask(t, direct, { model: 'sonnet' }));
    resultOf(await ask(t, entranceOf(rig), { model: 'sonnet' }));
    const shapes = [direct.anthropic, rig.twin.anthropic].map((endpoint) =>
      endpoint
        .requests()
        .map((request) => ({
          line: `${request.method} ${request.path}`,
          names: comparable(request.rawHeaders).map(([name]) => name),
          keys: request.body.length === 0 ? [] : Object.keys(JSON.parse(request.body.toString())),
        }))
        .toSorted((a, b) => (a.line < b.line ? -1 : 1)),
    );
    assert.equal(shapes[0]?.length, 3);
    assert.deepEqual(shapes[1], shapes[0]);
  });

  for (const shape of ['mitm', 'gateway'] as const) {
    test(`nothing of the account reaches zai (${shape})`, async (t) => {
      const rig = await startRig(t, { env: { FORCE_HAIKU_TO_ZAI: '1' } });
      const outcome = outcomeOf(await ask(t, entranceOf(rig), { shape }));
      assert.equal(outcome.result, 'ok from zai');
      const [arrived, ...others] = rig.twin.zai.requests();
      assert(arrived !== undefined && others.length === 0);
      assert.deepEqual(arrived.rawHeaders.map(([name]) => name.toLowerCase()).toSorted(), [
        'accept',
        'accept-encoding',
        'anthropic-beta',
        'anthropic-version',
        'content-length',
        'content-type',
        'host',
        'user-agent',
        'x-api-key',
      ]);
      assert.equal(headerOf(arrived.rawHeaders, 'x-api-key'), rig.twin.zai.key);
      const all = `${JSON.stringify(arrived.rawHeaders)}${arrived.body}`;
      for (const private_ of [
        FAKE_API_KEY,
        outcome.session_id,
        'device_id',
        'account_uuid',
        'x-anthropic-billing-header',
      ]) {
        assert(!all.includes(private_), `${private_} arrived at zai`);
      }
      const body = JSON.parse(arrived.body.toString()) as Record<string, unknown>;
      assert.equal(body['model'], 'glm-4.5-air');
      assert.equal(Object.keys(body).at(-1), 'stream', 'the rest of the body keeps its order');
    });
  }

  test('an OAuth token reaches anthropic untouched, and zai never', async (t) => {
    const token = 'sk-ant-oat01-fake-canary-0123456789';
    const rig = await startRig(t, { env: { FORCE_HAIKU_TO_ZAI: '1' } });
    const env = { ANTHROPIC_API_KEY: '', CLAUDE_CODE_OAUTH_TOKEN: token };
    const prompt = `${spawnHaiku('was here')}[twin: then][twin: say done]`;
    const asked = { env, prompt, model: 'sonnet' };
    assert.equal(resultOf(await ask(t, entranceOf(rig), asked)), 'done');
    const [first, last, ...others] = messages(rig.twin.anthropic);
    assert(first !== undefined && last !== undefined && others.length === 0);
    for (const { rawHeaders } of [first, last]) {
      assert.equal(headerOf(rawHeaders, 'authorization'), `Bearer ${token}`);
      assert.equal(headerOf(rawHeaders, 'x-api-key'), undefined);
      assert.match(headerOf(rawHeaders, 'anthropic-beta') ?? '', /\boauth-2025-04-20\b/);
    }
    const [arrived, ...more] = messages(rig.twin.zai);
    assert(arrived !== undefined && more.length === 0);
    assert.equal(headerOf(arrived.rawHeaders, 'authorization'), undefined);
    assert(!`${JSON.stringify(arrived.rawHeaders)}${arrived.body}`.includes(token));
    assertWhole(await rig.records(5));
  });
});
