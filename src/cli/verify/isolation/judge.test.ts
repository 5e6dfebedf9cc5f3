/**
 * Isolation is judged by what arrived: what is in its place passes, and one thing out of it does not,
 * wherever that is and however it is written.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  CANARY_NAMES,
  type CanaryName,
  CLIENT_ONLY,
  canaryMessages,
  HAIKU,
  KINDS,
  mintCanaries,
  OPUS,
  SONNET,
} from './canaries.ts';
import { type Made, type Received, sentOf, type Told, type Upstream } from './exchange.ts';
import { type Evidence, judgeIsolation } from './judge.ts';

const c = mintCanaries();
const NO_ANSWER = { status: null, error: null, bytes: Buffer.alloc(0) };

function made(id: number, model: string, lane: Upstream): Made {
  const asked = { prompt: 'x', stream: false, agent: true, exchange: id } as const;
  const request = canaryMessages(c, { ...asked, model, auth: id % 2 === 0 ? 'key' : 'oauth' });
  const arrives = { [lane]: [1, 1] as const };
  return { id, shape: 'a shape', way: 'h2', sent: sentOf(request), arrives, answer: NO_ANSWER };
}

const MADE = [
  made(0, SONNET, 'anthropic'),
  made(1, SONNET, 'anthropic'),
  made(2, HAIKU, 'anthropic'),
  made(3, OPUS, 'anthropic'),
  made(4, HAIKU, 'zai'),
  made(5, OPUS, 'third'),
  made(6, OPUS, 'third'),
  {
    ...made(7, SONNET, 'elsewhere'),
    sent: {
      head: `GET /\nuser-agent: (exchange 7)\ncookie: ${c.elsewhereKey}`,
      body: Buffer.from(''),
    },
  },
];

/** As a lane would pass it on. */
function arrived({ id, sent, arrives }: Made, changes: Partial<Received> = {}): Received {
  const [upstream] = Object.keys(arrives) as [Upstream];
  const passthrough = { head: sent.head.replace(/\nx-lanekeeper-token: .*/, ''), body: sent.body };
  const key: CanaryName | null =
    upstream === 'zai'
      ? 'zaiKey'
      : upstream !== 'third'
        ? null
        : id === 6
          ? 'thirdKeyNew'
          : 'thirdKey';
  const prompt = upstream === 'zai' ? c.haikuPrompt : c.thirdPrompt;
  const keyed = {
    head: `POST /\nuser-agent: (exchange ${id})\nauthorization: Bearer ${key === null ? '' : c[key]}`,
    body: Buffer.from(JSON.stringify({ content: prompt })),
  };
  const given = key === null ? passthrough : keyed;
  return { upstream, connection: `${upstream} ${id}`, whole: true, key, ...given, ...changes };
}

/** Heads are bytes, one character each. */
const latin1 = (text: string): string => Buffer.from(text).toString('latin1');

const told = (place: string, text: string): Told => ({
  place,
  at: 'a file',
  bytes: Buffer.from(text),
});

/** What arrives where all is well. */
function well(changes: Partial<Evidence> = {}): Evidence {
  return {
    made: MADE,
    received: MADE.map((one) => arrived(one)),
    told: [told('ledger', '{"lane":"zai"}'), told('env command', `x:${c.proxyToken}@`)],
    ...changes,
  };
}

/** One request is another one. */
function changed(id: number, change: (request: Received) => Partial<Received>): Evidence {
  return well({
    received: MADE.map((one) => {
      const request = arrived(one);
      return one.id === id ? { ...request, ...change(request) } : request;
    }),
  });
}

const findingsOf = (evidence: Evidence): readonly string[] => judgeIsolation(evidence, c).findings;

test('where every canary is in its place, nothing is found, and all of it is counted', () => {
  const { findings, leaks, places } = judgeIsolation(well(), c);
  assert.deepEqual(findings, []);
  assert.equal(leaks, 0);
  const of = (name: string) => places.find(({ place }) => place === name);
  assert.deepEqual(of('zai')?.canaries, {
    zaiKey: { expected: 1, found: 1 },
    haikuPrompt: { expected: 1, found: 1 },
  });
  assert.deepEqual(of('anthropic')?.canaries.cookie, { expected: 4, found: 4 });
  assert.deepEqual(of('ledger'), { place: 'ledger', searched: 1, bytes: 14, canaries: {} });
});

/** The ways in which one could be written. */
const SPELLINGS: Readonly<Record<string, (text: string) => string>> = {
  plain: (text) => text,
  JSON: (text) => JSON.stringify(JSON.stringify(`"${text}"`)),
  URL: (text) =>
    [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join(''),
  base64: (text) => Buffer.from(`a${text}b`).toString('base64'),
  hex: (text) => Buffer.from(text).toString('hex'),
};

describe('a canary of any kind is found, however it is written', () => {
  for (const name of CANARY_NAMES) {
    test(`${KINDS[name]}, at every upstream that must not have it, and in what was told`, () => {
      for (const [spelling, write] of Object.entries(SPELLINGS)) {
        const hidden = write(c[name]);
        const at = (id: number, change: (request: Received) => Partial<Received>): void => {
          const { findings, leaks } = judgeIsolation(changed(id, change), c);
          assert(leaks === 1 && findings.length >= 1, `${spelling} at exchange ${id}`);
          assert.match(findings[0] ?? '', new RegExp(`^${KINDS[name].replace('.', '\\.')} `));
          for (const canary of Object.values(c)) assert(!findings.join().includes(canary));
        };
        const mayHave = {
          0: [...CLIENT_ONLY, 'sonnetPrompt', 'haikuPrompt', 'thirdPrompt'],
          4: ['zaiKey', 'haikuPrompt'],
          5: ['thirdKey', 'thirdKeyNew', 'thirdPrompt'],
          7: ['elsewhereKey'],
        };
        for (const [id, own] of Object.entries(mayHave)) {
          if (own.includes(name)) continue;
          at(Number(id), ({ head }) => ({ head: `${head}\nx-note: ${latin1(hidden)}` }));
          at(Number(id), ({ body }) => ({
            body: Buffer.concat([body, Buffer.from(` ${hidden}`)]),
          }));
        }
        for (const place of [
          'ledger',
          'stderr',
          'bundle',
          'own errors',
          'answers of zai',
          'metrics',
        ]) {
          const [finding] = findingsOf(well({ told: [told(place, `x ${hidden} y`)] }));
          assert.match(finding ?? '', new RegExp(`in ${place}: a file, `), spelling);
        }
      }
    });
  }
});

describe('it is found', () => {
  const request = (id: number): Received => arrived(MADE[id] ?? assert.fail());
  const without = (id: number): Evidence =>
    well({ received: MADE.filter((one) => one.id !== id).map((one) => arrived(one)) });
  for (const [what, evidence, finding] of [
    [
      'that a key arrived twice in a request',
      changed(4, ({ head }) => ({ head: `${head}\nx-api-key: ${c.zaiKey}` })),
      /^Z\.AI key 2 times in a request at zai, not 1 times/,
    ],
    [
      'that it is missing',
      changed(4, () => ({ head: 'POST /\nuser-agent: (exchange 4)' })),
      /^Z\.AI key 0 times in a request at zai, not 1 times/,
    ],
    [
      'that a former key is still in use',
      changed(6, () => ({
        head: `POST /\nuser-agent: (exchange 6)\nauthorization: ${c.thirdKey}`,
      })),
      /^key of a third lane 1 times in a request at third, not 0 times/,
    ],
    [
      'that a passthrough lane lost something of the client',
      changed(0, ({ head }) => ({ head: head.replace(c.cookie, '') })),
      /^cookie 0 times in a request at anthropic, not 1 times/,
    ],
    [
      'that the proxy’s token arrived',
      changed(0, ({ head }) => ({ head: `${head}\nx: ${c.proxyToken}` })),
      /^token of the proxy in a request at anthropic/,
    ],
    [
      'that a request arrived twice',
      well({
        received: [...MADE.map((one) => arrived(one)), { ...request(4), connection: 'zai x' }],
      }),
      /^a shape \(h2\) arrived 2 times at zai, not 1$/,
    ],
    [
      'that a request did not arrive',
      without(2),
      /^a shape \(h2\) arrived 0 times at anthropic, not 1$/,
    ],
    [
      'that it arrived elsewhere too',
      well({
        received: [
          ...MADE.map((one) => arrived(one)),
          { ...request(4), upstream: 'third', key: 'thirdKey' },
        ],
      }),
      /^Z\.AI key in a request at third/,
    ],
    [
      'that nobody sent it',
      changed(0, ({ head }) => ({ head: head.replace('(exchange 0)', '') })),
      /^a request at anthropic that nobody sent$/,
    ],
    [
      'that two logins shared a connection',
      changed(1, () => ({ connection: 'anthropic 0' })),
      /^a connection to anthropic carried Anthropic API key and OAuth token$/,
    ],
    [
      'that something was answered in place of a refusal',
      well({
        made: MADE.map((one) => (one.id === 0 ? { ...one, error: 'lane_isolation' } : one)),
      }),
      /^a shape \(h2\) was answered null, not lane_isolation$/,
    ],
    [
      'that a place which must hold something is empty, so that its search shows nothing',
      well({ told: [told('env command', '')] }),
      /^nothing found in env command/,
    ],
  ] as const satisfies readonly (readonly [string, Evidence, RegExp])[]) {
    test(what, () => {
      const findings = findingsOf(evidence);
      assert(
        findings.some((one) => finding.test(one)),
        findings.join('\n'),
      );
      for (const canary of Object.values(c)) assert(!findings.join().includes(canary));
    });
  }

  test('that nothing arrived at all', () => {
    const findings = findingsOf(well({ received: [] }));
    for (const finding of [
      'no Z.AI key at zai, where it belongs',
      'no cookie at anthropic, where it belongs',
    ]) {
      assert(findings.includes(finding), finding);
    }
  });

  test('what came of a body that broke off, but nothing that it does not hold', () => {
    const broken = (text: string): readonly string[] =>
      findingsOf(changed(4, () => ({ whole: false, body: Buffer.from(text) })));
    // Of a single request at zai the prompt would be missing there.
    assert.deepEqual(broken(''), ['no prompt for Z.AI at zai, where it belongs']);
    assert.match(broken(`{"content":"${c.cookie}`)[0] ?? '', /^cookie in a request at zai/);
  });

  test('that a large body is another one than was sent; else it need not be searched', () => {
    const big = MADE.map((one) =>
      one.id === 0
        ? {
            ...one,
            sent: {
              ...one.sent,
              body: Buffer.concat([one.sent.body, Buffer.alloc(1_000_001, 'x')]),
            },
          }
        : one,
    );
    const received = big.map((one) => arrived(one));
    assert.deepEqual(findingsOf(well({ made: big, received })), []);
    const other = received.map((one, index) =>
      index === 0 ? { ...one, body: Buffer.concat([one.body, Buffer.from('y')]) } : one,
    );
    assert.deepEqual(findingsOf(well({ made: big, received: other })), [
      'a body at anthropic is not the one that was sent (a shape)',
    ]);
  });
});
