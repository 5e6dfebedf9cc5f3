/**
 * Who is asking: the main loop or a subagent of Claude Code, told by the headers that it sets itself
 * (they are the same in both shapes, intercepted and gateway, and in old and new versions).
 */
import { fieldValue } from './fields.ts';
import type { Fields } from './message.ts';
import type { Agent } from './route.ts';

const AGENT_ID = 'x-claude-code-agent-id';
const SESSION_ID = 'x-claude-code-session-id';
const USER_AGENT = 'claude-cli/';

/**
 * `subagent` where an agent id is present, `main` for any other request of Claude Code (a session id
 * or its user agent), null for other clients. An empty field counts as absent.
 */
export function agentOf(fields: Fields): Agent | null {
  if (present(fieldValue(fields, AGENT_ID))) return 'subagent';
  if (present(fieldValue(fields, SESSION_ID))) return 'main';
  return fieldValue(fields, 'user-agent')?.startsWith(USER_AGENT) === true ? 'main' : null;
}

/** The client's session id as it came, or null. It identifies a person's work: hash it, never log it. */
export function sessionIdOf(fields: Fields): string | null {
  const id = fieldValue(fields, SESSION_ID);
  return id !== undefined && present(id) ? id : null;
}

function present(value: string | undefined): boolean {
  return value !== undefined && value.trim() !== '';
}
