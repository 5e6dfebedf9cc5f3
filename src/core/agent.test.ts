import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { agentOf, sessionIdOf } from './agent.ts';
import type { Field, Fields } from './message.ts';

const AGENT: Field = ['x-claude-code-agent-id', 'a0123456789abcdef'];
const SESSION: Field = ['X-Claude-Code-Session-Id', '00000000-0000-0000-0000-000000000000'];
const CLI: Field = ['User-Agent', 'claude-cli/2.1.330 (external, cli)'];

describe('the agent that asks', () => {
  const cases: readonly (readonly [name: string, fields: Fields, agent: string | null])[] = [
    ['is a subagent where an agent id is present', [CLI, SESSION, AGENT], 'subagent'],
    ['is a subagent by its agent id alone', [AGENT], 'subagent'],
    ['is known whatever the case of the name', [['X-Claude-Code-Agent-ID', 'a1']], 'subagent'],
    ['is the main loop where only a session id is present', [SESSION], 'main'],
    ['is the main loop by its user agent', [CLI], 'main'],
    ['is unknown for another client', [['User-Agent', 'Anthropic/JS 1.12.0']], null],
    ['is unknown where the user agent only mentions it', [['User-Agent', 'x claude-cli/2']], null],
    ['is unknown without fields', [], null],
    ['is not told by an empty agent id', [SESSION, ['x-claude-code-agent-id', ' ']], 'main'],
    ['is not told by empty ids', [['x-claude-code-session-id', '']], null],
  ];
  for (const [name, fields, agent] of cases) {
    it(name, () => assert.equal(agentOf(fields), agent));
  }
});

describe('the session id', () => {
  it('is the value of its field as it came, or null', () => {
    assert.equal(sessionIdOf([CLI, SESSION]), SESSION[1]);
    assert.equal(sessionIdOf([CLI]), null);
    assert.equal(sessionIdOf([['x-claude-code-session-id', '']]), null);
  });
});
