/**
 * Which fault befalls which request or connection: the rules of a plan, matched in their order, each
 * with its own counters for each persona. The first rule that applies decides.
 *
 * Replayable: what is drawn (rates, jitter) is drawn from the seed, the persona, the rule's number
 * and the ordinal of the request or connection since the plan was set, so the same seed and the same
 * sequence of requests meet the same faults. `concurrency` depends on what is open at the time, and
 * of requests that come at once the order of their arrival is theirs.
 */
import { matchesGlob } from '../core/route.ts';
import { parseBody } from './body.ts';
import type {
  ConnectionFault,
  Fault,
  FaultMatch,
  FaultOf,
  FaultPlan,
  FaultRule,
  RequestFault,
} from './plan-schema.ts';
import { digest, shareOf } from './seed.ts';
import { headerOf, type PersonaName, type TwinRequest } from './types.ts';

/** A whole request, and the protocol it came by. */
export interface Candidate {
  readonly request: TwinRequest;
  readonly protocol: 'h1' | 'h2';
}

/** What was decided for one request. */
export interface Verdict {
  readonly fault: RequestFault | null;
  /** In [0, 1), drawn for this request. */
  readonly share: number;
  /** To be called once when the exchange is over. */
  readonly release: () => void;
}

/** What was decided for one connection. */
export interface ConnectionVerdict {
  /** Delay of the handshake, ms; null for none. */
  readonly tlsDelayMs: number | null;
  readonly idle: FaultOf<'idle_close'> | null;
}

/** How often a rule was looked at and applied, for one persona. */
export interface RuleCounts {
  /** Requests (or connections) that its match describes, counters aside. */
  readonly seen: number;
  readonly fired: number;
}

/** The plan in force and what came of it. */
export interface FaultReport {
  readonly seed: number;
  readonly rules: readonly {
    readonly match: FaultMatch;
    readonly fault: Fault;
    readonly anthropic: RuleCounts;
    readonly zai: RuleCounts;
  }[];
}

/** Decides for both personas of one twin. */
export interface FaultEngine {
  /** Puts a plan in force, its counters at 0; null for none. */
  set(plan: FaultPlan | null): void;
  report(): FaultReport;
  request(persona: PersonaName, candidate: Candidate): Verdict;
  connection(persona: PersonaName): ConnectionVerdict;
}

interface Counts {
  seen: number;
  fired: number;
  /** Requests that count against a concurrency limit now. */
  open: number;
}

interface RuleState {
  readonly index: number;
  readonly rule: FaultRule;
  readonly counts: Readonly<Record<PersonaName, Counts>>;
}

type Occasion = 'request' | 'connection';

const NO_CONNECTION_FAULT: ConnectionVerdict = { tlsDelayMs: null, idle: null };

/** Makes an engine without a plan. */
export function faultEngine(defaultSeed: number): FaultEngine {
  let seed = defaultSeed;
  let rules: RuleState[] = [];
  let ordinals = freshOrdinals();

  const names = new Map<string, Buffer>();
  const draw = (
    occasion: Occasion,
    persona: PersonaName,
    ordinal: number,
    what: number | string,
  ): number => {
    const key = `${persona} ${occasion} ${what}`;
    const name = names.get(key) ?? digest('fault', seed, key);
    names.set(key, name);
    return shareOf(name, ordinal);
  };
  const ordinalOf = (persona: PersonaName, occasion: Occasion): number => {
    ordinals[persona][occasion] += 1;
    return ordinals[persona][occasion];
  };

  return {
    set: (plan) => {
      seed = plan?.seed ?? defaultSeed;
      names.clear();
      ordinals = freshOrdinals();
      rules = (plan?.rules ?? []).map(
        (rule, index): RuleState => ({
          index,
          rule,
          counts: { anthropic: freshCounts(), zai: freshCounts() },
        }),
      );
    },
    report: () => ({
      seed,
      rules: rules.map(({ rule, counts }) => ({
        match: rule.match ?? {},
        fault: rule.fault,
        anthropic: { seen: counts.anthropic.seen, fired: counts.anthropic.fired },
        zai: { seen: counts.zai.seen, fired: counts.zai.fired },
      })),
    }),
    request: (persona, candidate) => {
      const ordinal = ordinalOf(persona, 'request');
      const held: Counts[] = [];
      const facts = factsOf(candidate);
      let fault: RequestFault | null = null;
      for (const { rule, counts, index } of rules) {
        if (isOfConnection(rule.fault) || !matches(rule, persona, facts)) continue;
        const count = counts[persona];
        count.seen += 1;
        if (!isDue(rule.match, count, () => draw('request', persona, ordinal, index))) continue;
        if (rule.fault.kind === 'concurrency' && count.open < rule.fault.max) {
          count.open += 1;
          held.push(count);
          continue;
        }
        count.fired += 1;
        fault = rule.fault;
        break;
      }
      return {
        fault,
        share: fault === null ? 0 : draw('request', persona, ordinal, 'share'),
        release: () => {
          for (const count of held.splice(0)) count.open -= 1;
        },
      };
    },
    connection: (persona) => {
      const ordinal = ordinalOf(persona, 'connection');
      let verdict = NO_CONNECTION_FAULT;
      // A slow handshake does not keep a connection from being closed when it is idle.
      for (const { rule, counts, index } of rules) {
        if (!isOfConnection(rule.fault)) continue;
        if (rule.match?.persona !== undefined && rule.match.persona !== persona) continue;
        const count = counts[persona];
        count.seen += 1;
        if (!isDue(rule.match, count, () => draw('connection', persona, ordinal, index))) continue;
        const { fault } = rule;
        if (fault.kind === 'slow_tls' && verdict.tlsDelayMs === null) {
          verdict = { ...verdict, tlsDelayMs: fault.ms };
          count.fired += 1;
        } else if (fault.kind === 'idle_close' && verdict.idle === null) {
          verdict = { ...verdict, idle: fault };
          count.fired += 1;
        }
      }
      return verdict;
    },
  };
}

function freshOrdinals(): Record<PersonaName, Record<Occasion, number>> {
  return { anthropic: { request: 0, connection: 0 }, zai: { request: 0, connection: 0 } };
}

function freshCounts(): Counts {
  return { seen: 0, fired: 0, open: 0 };
}

function isOfConnection(fault: Fault): fault is ConnectionFault {
  return fault.kind === 'slow_tls' || fault.kind === 'idle_close';
}

function isDue(
  match: FaultMatch | undefined,
  { seen, fired }: Counts,
  draw: () => number,
): boolean {
  if (match === undefined) return true;
  const turn = seen - (match.skip ?? 0);
  if (turn < 1 || turn % (match.every ?? 1) !== 0) return false;
  if (match.times !== undefined && fired >= match.times) return false;
  return match.rate === undefined || draw() < match.rate;
}

/** What rules ask of a request; the body is read only if one asks. */
interface Facts {
  readonly protocol: 'h1' | 'h2';
  readonly path: string;
  readonly request: TwinRequest;
  readonly body: () => { readonly model: unknown; readonly stream: boolean };
}

function factsOf({ request, protocol }: Candidate): Facts {
  let read: { model: unknown; stream: boolean } | null = null;
  return {
    protocol,
    path: request.path ?? request.target.split('?', 1)[0] ?? '',
    request,
    body: () => {
      if (read !== null) return read;
      const parsed = parseBody(request.body);
      const json = 'json' in parsed ? parsed.json : {};
      read = { model: json['model'], stream: json['stream'] === true };
      return read;
    },
  };
}

function matches({ match = {}, fault }: FaultRule, persona: PersonaName, facts: Facts): boolean {
  if (match.persona !== undefined && match.persona !== persona) return false;
  if (match.path !== undefined && !matchesGlob(match.path, facts.path)) return false;
  if (match.header !== undefined && !presents(facts.request, match.header)) return false;
  if (!isPossible(fault, facts)) return false;
  if (match.model !== undefined) {
    const { model } = facts.body();
    if (typeof model !== 'string' || !matchesGlob(match.model, model)) return false;
  }
  return match.stream === undefined || match.stream === facts.body().stream;
}

/** Whether a fault has a meaning for a request at all. */
function isPossible(fault: Fault, facts: Facts): boolean {
  switch (fault.kind) {
    case 'auth_mode':
      return presents(facts.request, fault.refuses);
    case 'goaway':
    case 'refused_stream':
      return facts.protocol === 'h2';
    case 'error_event':
      return facts.body().stream;
    default:
      return true;
  }
}

function presents({ fields }: TwinRequest, mode: 'x-api-key' | 'authorization'): boolean {
  return headerOf(fields, mode) !== undefined;
}
