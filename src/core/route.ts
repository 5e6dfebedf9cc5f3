/**
 * Which lane an exchange takes, and why: a pure function of a few facts and the table in force.
 *
 * What can not be routed for sure (no model, an unreadable body, an unknown path) takes the default
 * lane unchanged.
 */

import { GLOBS_MAX } from './limits.ts';

/** Who is asking, as Claude Code labels its requests by `x-claude-code-agent-id`. */
export type Agent = 'main' | 'subagent';

/** What a decision is called in the ledger. */
export type Decision =
  | 'forced_model'
  | 'subagent'
  | `rule:${string}`
  | 'default'
  | 'paused'
  | 'passthrough'
  | 'fallback';

export interface RouteRule {
  /** What the ledger shows when this rule decided. */
  readonly decision: Decision;
  readonly when: {
    /** Glob over the model id. */
    readonly model?: string;
    readonly agent?: Agent;
    /** Glob over the path without its query. */
    readonly path?: string;
  };
  readonly lane: string;
}

/** The facts a decision rests on. */
export interface RouteFacts {
  readonly method: string;
  /** The path without its query. */
  readonly path: string;
  /** The model asked for, or null where it could not be read for sure. */
  readonly model: string | null;
  readonly agent: Agent | null;
}

/** The routing in force at one moment. */
export interface RoutingTable {
  readonly routes: readonly RouteRule[];
  readonly defaultLane: string;
  /** Where forced Haiku goes, or null where forcing is off. */
  readonly forcedLane: string | null;
  readonly paused: boolean;
}

export interface RouteDecision {
  readonly lane: string;
  readonly decision: Decision;
}

/** The model family that forcing is about. */
const HAIKU_GLOB = '*haiku*';

/** True for the two requests that are routed by their model; every other path passes through. */
export function isRouted(method: string, path: string): boolean {
  return method === 'POST' && (path === '/v1/messages' || path === '/v1/messages/count_tokens');
}

/** The path of an origin-form target, without its query. */
export function pathOf(target: string): string {
  const query = target.indexOf('?');
  return query < 0 ? target : target.slice(0, query);
}

/** Decides the lane of an exchange. First match wins; forcing goes before every rule. */
export function decide(facts: RouteFacts, table: RoutingTable): RouteDecision {
  if (!isRouted(facts.method, facts.path))
    return { lane: table.defaultLane, decision: 'passthrough' };
  if (table.paused) return { lane: table.defaultLane, decision: 'paused' };
  const { model } = facts;
  if (model === null) return { lane: table.defaultLane, decision: 'default' };
  if (table.forcedLane !== null && matchesGlob(HAIKU_GLOB, model)) {
    return { lane: table.forcedLane, decision: 'forced_model' };
  }
  for (const rule of table.routes) {
    if (matchesRule(rule, facts, model)) return { lane: rule.lane, decision: rule.decision };
  }
  return { lane: table.defaultLane, decision: 'default' };
}

function matchesRule(rule: RouteRule, facts: RouteFacts, model: string): boolean {
  const { when } = rule;
  if (when.model !== undefined && !matchesGlob(when.model, model)) return false;
  if (when.agent !== undefined && when.agent !== facts.agent) return false;
  if (when.path !== undefined && !matchesGlob(when.path, facts.path)) return false;
  return true;
}

/**
 * Matches a glob, without case: `*` stands for any run of characters, `?` for one.
 */
export function matchesGlob(glob: string, text: string): boolean {
  let matcher = matchers.get(glob);
  if (matcher === undefined) {
    matcher = matcherOf(glob.toLowerCase());
    if (matchers.size === GLOBS_MAX) matchers.clear();
    matchers.set(glob, matcher);
  }
  return matcher(text.toLowerCase());
}

type Matcher = (subject: string) => boolean;

/** Those of the globs in use: they come from a configuration, and are asked with every request. */
const matchers = new Map<string, Matcher>();

/** Most globs are a name with a `*` before or behind it, or both, for which there are native searches. */
function matcherOf(pattern: string): Matcher {
  const [, before = '', literal = '', behind = ''] = /^(\*?)([^*?]*)(\*?)$/.exec(pattern) ?? [];
  if (before + literal + behind !== pattern) return (subject) => walks(pattern, subject);
  if (before === '' && behind === '') return (subject) => subject === literal;
  if (before === '') return (subject) => subject.startsWith(literal);
  if (behind === '') return (subject) => subject.endsWith(literal);
  return (subject) => subject.includes(literal);
}

/**
 * The last `*` is the only place to go back to, so that the work is bounded by the product of the two
 * lengths: a hostile model id can not make it slow.
 */
function walks(pattern: string, subject: string): boolean {
  let p = 0;
  let s = 0;
  let starAt = -1;
  let resumeAt = 0;
  while (s < subject.length) {
    if (p < pattern.length && pattern[p] === '*') {
      starAt = p;
      resumeAt = s;
      p += 1;
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === subject[s])) {
      p += 1;
      s += 1;
    } else if (starAt >= 0) {
      p = starAt + 1;
      resumeAt += 1;
      s = resumeAt;
    } else {
      return false;
    }
  }
  while (p < pattern.length && pattern[p] === '*') p += 1;
  return p === pattern.length;
}
