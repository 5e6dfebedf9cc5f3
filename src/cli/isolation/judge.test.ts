/** Isolation is judged by what arrived: what is in its place passes, and one thing out of it does not. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Canaries, CLIENT_ONLY, mintCanaries } from './canaries.ts';
import { judgeIsolation, type Outcomes, type Received } from './judge.ts';

const c = mintCanaries();

function request(headers: readonly (readonly [string, string])[], body: string): Received {
  return { method: 'POST', path: '/v1/messages', rawHeaders: headers, body: Buffer.from(body) };
}

/** What arrives where all is well. */
function well(canaries: Canaries): Outcomes {
  const everything = CLIENT_ONLY.map((name) => [`x-${name}`, canaries[name]] as const);
  return {
    received: {
      anthropic: [request(everything, JSON.stringify({ content: canaries.sonnetPrompt }))],
      zai: [
        request(
          [['x-api-key', canaries.zaiKey]],
          JSON.stringify({ content: canaries.haikuPrompt }),
        ),
      ],
    },
    files: { files: 3, findings: [], unread: [] },
    told: ['lanekeeper_exchanges_total 2'],
  };
}

function withRequest(lane: 'anthropic' | 'zai', more: Received): Outcomes {
  const good = well(c);
  return { ...good, received: { ...good.received, [lane]: [...good.received[lane], more] } };
}

test('where every canary is in its place, nothing is found', () => {
  assert.deepEqual(judgeIsolation(well(c), c), {
    searched: { anthropic: 1, zai: 1, files: 3, answers: 1 },
    leaks: 0,
    findings: [],
  });
});

describe('it is found', () => {
  const key = ['x-api-key', c.zaiKey] as const;
  for (const name of CLIENT_ONLY) {
    test(`that ${name} arrived at zai, in a body or a field`, () => {
      const encoded = Buffer.from(c[name]).toString('base64');
      for (const more of [
        request([key], JSON.stringify([c[name]])),
        request([key, ['x-note', encoded]], ''),
      ]) {
        const { findings, leaks } = judgeIsolation(withRequest('zai', more), c);
        assert.deepEqual(
          [findings, leaks],
          [[`${name} in a request at zai (POST /v1/messages)`], 1],
        );
      }
    });
  }

  for (const [what, outcomes, finding] of [
    [
      'that the key of zai arrived at anthropic',
      withRequest('anthropic', request([key], '')),
      /^zaiKey in a request at anthropic/,
    ],
    [
      'that the proxy’s token arrived',
      withRequest('anthropic', request([['x-t', c.proxyToken]], '')),
      /^proxyToken in a request at anthropic/,
    ],
    [
      'that the key stands in two fields',
      withRequest('zai', request([key, ['authorization', `Bearer ${c.zaiKey}`]], '')),
      /^1 requests at zai without the key in its one field/,
    ],
    [
      'that the key stands in a body too',
      withRequest('zai', request([key], c.zaiKey)),
      /^1 requests at zai without the key in its one field/,
    ],
    [
      'that there is another credential in its place',
      withRequest('zai', request([['x-api-key', 'other']], '')),
      /^1 requests at zai without/,
    ],
    [
      'that a file holds one',
      {
        ...well(c),
        files: { files: 1, findings: [{ file: 'logs/x', line: 2, what: 'oauth' }], unread: [] },
      },
      /^logs\/x:2 holds oauth$/,
    ],
    [
      'that a file could not be searched',
      {
        ...well(c),
        files: { files: 1, findings: [], unread: [{ file: 'logs/x', reason: 'EACCES' }] },
      },
      /^logs\/x can not be searched: EACCES$/,
    ],
    [
      'that the proxy tells one',
      { ...well(c), told: [JSON.stringify({ detail: c.cookie })] },
      /^cookie in what the proxy tells$/,
    ],
  ] as const satisfies readonly (readonly [string, Outcomes, RegExp])[]) {
    test(what, () => {
      const { findings } = judgeIsolation(outcomes, c);
      assert.equal(findings.length, 1, findings.join('\n'));
      assert.match(findings[0] ?? '', finding);
      for (const canary of Object.values(c)) assert(!findings.join().includes(canary));
    });
  }

  test('that nothing arrived at all', () => {
    const { findings } = judgeIsolation({ ...well(c), received: { anthropic: [], zai: [] } }, c);
    assert.equal(findings.length, 2 + CLIENT_ONLY.length);
    assert(findings.includes('zaiKey did not arrive at zai, where it belongs'));
  });
});
