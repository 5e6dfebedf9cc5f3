/**
 * What a session leaves of itself, `results/SESSION.json`: when it was, and for each of its phases
 * what was run, what came of it, and which records of the ledger are its own. The gates judge by it.
 *
 * Its shape has a version; a field is added without a new one, never renamed or given another
 * meaning. It holds no credential: commands are redacted before they come here.
 */
import { z } from 'zod';

export const SESSION_VERSION = 1;

/** What came of a phase. `interrupted` and `skipped` say nothing for or against it. */
const VERDICTS = ['met', 'not_met', 'interrupted', 'skipped'] as const;

const count = z.int().min(0);
const moment = z.iso.datetime();
const times = z.object({ p50: z.number(), p95: z.number(), p99: z.number(), max: z.number() });

const check = z.object({
  name: z.string(),
  /** Null where there was nothing to judge by. */
  met: z.boolean().nullable(),
  detail: z.string(),
});

const faultPlan = z.object({
  /** The name of its file, or `mix` for the built-in one. */
  name: z.string(),
  rules: count,
  /** How often each kind of fault was met. */
  met: z.record(z.string(), count),
});

/** Counts; null where the phase does not count such a thing. */
const figures = z.object({
  /** Of the load alone. */
  seconds: z.number().min(0),
  exchanges: count,
  /** Answered, and whole to the last byte. */
  whole: count.nullable(),
  /** Met a planned fault, and delivered as the upstream left them. */
  spoilt: count.nullable(),
  misroutes: count.nullable(),
  stalls: count.nullable(),
  /** Cut by the end of the phase itself. */
  abandoned: count.nullable(),
  retried: count.nullable(),
  /** Records in the ledger; null where none could be read. */
  records: count.nullable(),
  errors: z.record(z.string(), count),
  latency_ms: times.nullable(),
  ttfb_ms: times.nullable(),
});

/** What was looked for in the requests that the upstreams received. */
const isolation = z.object({
  /** Requests searched, for each upstream. */
  searched: z.object({ anthropic: count, zai: count }),
  /** Requests that held a credential of another lane. */
  leaks: count,
});

const phase = z.object({
  /** `warmup`, `soak`, `parallel`, `burst`, `chaos`, `isolation`, … */
  name: z.string(),
  start: moment,
  end: moment,
  verdict: z.enum(VERDICTS),
  /** As it was typed, redacted. */
  command: z.string(),
  /** What answered: the simulated upstreams, or the real ones. */
  lanes: z.enum(['twin', 'real']),
  /** `raw`, `sdk`, `claude`. */
  client: z.string(),
  /** How lanes alternate, where it is by a switch of the proxy. */
  alternates: z.enum(['force', 'model']).nullable(),
  /** What went wrong on purpose; null where nothing did. */
  faults: faultPlan.nullable(),
  /** The switches of the proxy when the phase began; null where nobody could tell. */
  switches: z.object({ force: z.boolean(), paused: z.boolean(), tee: z.boolean() }).nullable(),
  /** The `session` of its records in the ledger; empty where it left none there. */
  marks: z.array(z.string().regex(/^[0-9a-f]{16}$/)),
  figures,
  isolation: isolation.nullable(),
  checks: z.array(check),
});

export const sessionSchema = z.object({
  version: z.literal(SESSION_VERSION),
  id: z.uuid(),
  /** `session`, or `drill` for one that was put together by hand. */
  by: z.enum(['session', 'drill']),
  start: moment,
  /** Of its last phase; null before the first has ended. */
  end: moment.nullable(),
  phases: z.array(phase),
});

export type SessionRecord = Readonly<z.infer<typeof sessionSchema>>;
export type Phase = Readonly<z.infer<typeof phase>>;
export type PhaseFigures = Readonly<z.infer<typeof figures>>;
export type PhaseFaults = Readonly<z.infer<typeof faultPlan>>;
export type PhaseCheck = Readonly<z.infer<typeof check>>;

/** Figures of a phase that counts nothing; the base of those that do. */
export const NO_FIGURES: PhaseFigures = {
  seconds: 0,
  exchanges: 0,
  whole: null,
  spoilt: null,
  misroutes: null,
  stalls: null,
  abandoned: null,
  retried: null,
  records: null,
  errors: {},
  latency_ms: null,
  ttfb_ms: null,
};

/**
 * A phase that ends now and left no records in the ledger of its home: what it is but for its
 * command and for what it found. It drove the twin with raw requests, or nothing.
 */
export function unmarkedPhase(name: string, start: Date, isMet: boolean): Omit<Phase, 'command'> {
  return {
    name,
    start: start.toISOString(),
    end: new Date().toISOString(),
    verdict: isMet ? 'met' : 'not_met',
    lanes: 'twin',
    client: 'raw',
    alternates: null,
    faults: null,
    switches: null,
    marks: [],
    figures: NO_FIGURES,
    isolation: null,
    checks: [],
  };
}
