import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from '../../test/support/properties.ts';
import { KEY_VALUE_BYTES_MAX } from './limits.ts';
import {
  decide,
  isRouted,
  matchesGlob,
  pathOf,
  type RouteFacts,
  type RouteRule,
  type RoutingTable,
} from './route.ts';

const HAIKU = 'claude-haiku-5-5';
const SONNET = 'claude-sonnet-5-5';

const ASK: RouteFacts = { method: 'POST', path: '/v1/messages', model: SONNET, agent: 'main' };

const SUBAGENT_HAIKU: RouteRule = {
  decision: 'subagent',
  when: { model: '*haiku*', agent: 'subagent' },
  lane: 'zai',
};
const HELPERS: RouteRule = { decision: 'rule:helpers', when: { agent: 'subagent' }, lane: 'third' };
const COUNTING: RouteRule = {
  decision: 'rule:counting',
  when: { path: '/v1/messages/count_*' },
  lane: 'third',
};

const TABLE: RoutingTable = {
  routes: [SUBAGENT_HAIKU],
  defaultLane: 'anthropic',
  forcedLane: null,
  paused: false,
};
const FORCED: RoutingTable = { ...TABLE, forcedLane: 'zai' };
const RULES: RoutingTable = { ...TABLE, routes: [SUBAGENT_HAIKU, HELPERS, COUNTING] };

type Case = readonly [
  name: string,
  facts: Partial<RouteFacts>,
  table: RoutingTable,
  lane: string,
  decision: string,
];

describe('a decision', () => {
  const haikuSubagent = { model: HAIKU, agent: 'subagent' } as const;
  const count = '/v1/messages/count_tokens';
  const cases: readonly Case[] = [
    ['sends what no rule takes to the default lane', {}, TABLE, 'anthropic', 'default'],
    ['sends Haiku of a subagent to the lane of its rule', haikuSubagent, TABLE, 'zai', 'subagent'],
    ['leaves Haiku of the main loop', { model: HAIKU }, TABLE, 'anthropic', 'default'],
    [
      'leaves Haiku of unknown clients',
      { model: HAIKU, agent: null },
      TABLE,
      'anthropic',
      'default',
    ],
    ['leaves other models of a subagent', { agent: 'subagent' }, TABLE, 'anthropic', 'default'],
    ['sends every Haiku to the forced lane', { model: HAIKU }, FORCED, 'zai', 'forced_model'],
    ['knows Haiku by the family word', { model: 'My-HAIKU-x' }, FORCED, 'zai', 'forced_model'],
    ['forces before every rule', haikuSubagent, FORCED, 'zai', 'forced_model'],
    ['forces nothing but Haiku', {}, FORCED, 'anthropic', 'default'],
    ['takes the first rule that matches', haikuSubagent, RULES, 'zai', 'subagent'],
    [
      'takes a later rule where earlier ones do not match',
      { agent: 'subagent' },
      RULES,
      'third',
      'rule:helpers',
    ],
    ['matches the path', { path: count }, RULES, 'third', 'rule:counting'],
    [
      'routes count_tokens like its message',
      { ...haikuSubagent, path: count },
      TABLE,
      'zai',
      'subagent',
    ],
    [
      'sends everything to the default lane while paused',
      { model: HAIKU },
      { ...FORCED, paused: true },
      'anthropic',
      'paused',
    ],
    [
      'leaves a request whose model is not known for sure',
      { model: null, agent: 'subagent' },
      { ...RULES, forcedLane: 'zai' },
      'anthropic',
      'default',
    ],
    ['leaves an empty model', { model: '' }, FORCED, 'anthropic', 'default'],
    [
      'passes another method through',
      { method: 'GET', model: HAIKU },
      FORCED,
      'anthropic',
      'passthrough',
    ],
    [
      'passes another path through',
      { path: '/v1/models', model: HAIKU },
      FORCED,
      'anthropic',
      'passthrough',
    ],
    [
      'passes a longer path through',
      { path: '/v1/messages/batches', model: HAIKU },
      FORCED,
      'anthropic',
      'passthrough',
    ],
    [
      'calls a passed path so while paused too',
      { path: '/' },
      { ...TABLE, paused: true },
      'anthropic',
      'passthrough',
    ],
  ];
  for (const [name, facts, table, lane, decision] of cases) {
    it(name, () => assert.deepEqual(decide({ ...ASK, ...facts }, table), { lane, decision }));
  }

  it('takes a rule without conditions for every routed request', () => {
    const all: RouteRule = { decision: 'rule:all', when: {}, lane: 'zai' };
    assert.equal(decide(ASK, { ...TABLE, routes: [all] }).lane, 'zai');
    assert.equal(decide({ ...ASK, path: '/x' }, { ...TABLE, routes: [all] }).lane, 'anthropic');
  });

  it('never leaves the default lane for what is not routed, not known, or paused', () => {
    const facts = fc.record({
      method: fc.constantFrom('POST', 'GET', 'post'),
      path: fc.constantFrom(
        '/v1/messages',
        '/v1/messages/',
        '/v1/messages/count_tokens',
        '/V1/messages',
      ),
      model: fc.option(fc.constantFrom(HAIKU, SONNET)),
      agent: fc.option(fc.constantFrom('main', 'subagent')),
    }) as fc.Arbitrary<RouteFacts>;
    const tables = fc.constantFrom(TABLE, FORCED, RULES);
    const property = fc.property(facts, tables, fc.boolean(), (asked, table, paused) => {
      const { lane } = decide(asked, { ...table, paused });
      const routed = isRouted(asked.method, asked.path);
      if (!routed || paused || asked.model === null) assert.equal(lane, 'anthropic');
    });
    fc.assert(property);
  });
});

describe('the path of a target', () => {
  it('ends before the first question mark', () => {
    assert.equal(pathOf('/v1/messages?beta=true'), '/v1/messages');
    assert.equal(pathOf('/v1/messages'), '/v1/messages');
    assert.equal(pathOf('/a?b?c'), '/a');
    assert.equal(pathOf('?'), '');
    assert.equal(pathOf('*'), '*');
  });
});

/** The glob as a regular expression, which may be slow but is plainly right. */
function toRegExp(glob: string): RegExp {
  const source = [...glob].map((character) => {
    if (character === '*') return '.*';
    return character === '?' ? '.' : character.replace(/[\\^$.|+()[\]{}/-]/g, '\\$&');
  });
  return new RegExp(`^${source.join('')}$`, 'is');
}

describe('a glob', () => {
  const cases: readonly (readonly [glob: string, text: string, matches: boolean])[] = [
    ['*haiku*', HAIKU, true],
    ['*haiku*', 'Claude-HAIKU', true],
    ['*haiku*', 'haik-u', false],
    ['claude-?????-5-5', HAIKU, true],
    ['claude-????-5-5', HAIKU, false],
    ['', '', true],
    ['', 'a', false],
    ['*', '', true],
    ['**', 'ab', true],
    ['?', '', false],
    ['a*b*c', 'abbbcbc', true],
    ['a*b*c', 'abbbcb', false],
    ['claude', HAIKU, false],
    ['a.c', 'abc', false],
    ['[ab]', 'a', false],
  ];
  for (const [glob, text, matches] of cases) {
    it(`${matches ? 'matches' : 'does not match'}: '${glob}' and '${text}'`, () => {
      assert.equal(matchesGlob(glob, text), matches);
    });
  }

  it('matches what the same regular expression matches', () => {
    const glob = fc.array(fc.constantFrom('*', '?', 'a', 'B', '-', '.'), { maxLength: 8 });
    const text = fc.array(fc.constantFrom('a', 'b', 'A', '-', '.', '\n'), { maxLength: 10 });
    const property = fc.property(glob, text, (left, right) => {
      const pattern = left.join('');
      const subject = right.join('');
      assert.equal(matchesGlob(pattern, subject), toRegExp(pattern).test(subject));
    });
    fc.assert(property, { numRuns: 5000 });
  });

  it('matches any text in which the places of its stars are filled in', () => {
    const part = fc.string({ maxLength: 6 }).filter((text) => !/[*?]/.test(text));
    const property = fc.property(fc.array(fc.tuple(part, part), { maxLength: 5 }), (parts) => {
      const glob = parts.map(([fixed]) => `${fixed}*`).join('');
      const text = parts.map(([fixed, filled]) => fixed + filled).join('');
      assert.equal(matchesGlob(glob, text), true);
    });
    fc.assert(property);
  });

  it('ends on the patterns that make a backtracking matcher explode', () => {
    const text = 'a'.repeat(KEY_VALUE_BYTES_MAX);
    assert.equal(matchesGlob(`${'*a'.repeat(60)}*b`, text), false);
  });
});
