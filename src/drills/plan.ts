/**
 * The drills: what each of them asks, how often and how many at once. Everything is drawn from the
 * number of the request, so that a drill is the same each time it runs.
 */
import type { DrillLane, DrillRequest, Shape } from './types.ts';

export const DRILL_NAMES = ['warmup', 'alternate', 'soak', 'parallel', 'burst'] as const;
export type DrillName = (typeof DRILL_NAMES)[number];

/** The clients that a drill can be run with: the built-in one, the official SDK, Claude Code. */
export const DRILL_CLIENTS = ['raw', 'sdk', 'claude'] as const;
export type DrillClientName = (typeof DRILL_CLIENTS)[number];

/** What makes the lanes alternate: the model of the request, or the `force` switch of the proxy. */
export const ALTERNATIONS = ['model', 'force'] as const;
export type Alternation = (typeof ALTERNATIONS)[number];

/** A drill, ready to run. It ends with whichever bound is reached first. */
export interface Plan {
  readonly name: DrillName;
  /** Exchanges; null for no bound. */
  readonly count: number | null;
  readonly ms: number | null;
  readonly concurrency: number;
  /** Each client waits so long after an exchange. */
  readonly pauseMs: number;
  /**
   * Null: the switches of the proxy are left as they are. `model`: `force` stays on. `force`: every
   * request is a Haiku, and the switch is set before it for the lane that it shall take.
   */
  readonly alternation: Alternation | null;
  /** The lane of request number `index`. */
  readonly laneOf: (index: number) => DrillLane;
  /** Of what request number `index` is made. */
  readonly shapeOf: (index: number) => Shape;
  /** A prompt is filled up to this length; 0 leaves it as it is. */
  readonly promptBytes: number;
}

/** What a caller may change of a drill. */
export interface PlanOptions {
  readonly minutes?: number | undefined;
  readonly count?: number | undefined;
  readonly concurrency?: number | undefined;
  readonly pauseMs?: number | undefined;
  readonly alternation?: Alternation | undefined;
}

const SONNET = 'claude-sonnet-5-5';
const HAIKU = 'claude-haiku-5-5';
const MS_PER_MINUTE = 60_000;
const MAX_TOKENS = 1_000;
const FILLING = ' and so on, line after line of a long conversation';

/** Mostly short streams, as agents have them; each kind comes to both lanes. */
const MIXTURE: readonly Shape[] = [
  'short',
  'short',
  'medium',
  'once',
  'short',
  'tool',
  'tool',
  'short',
  'once',
  'medium',
];
/** One of so many is long. */
const LONG_EVERY = 49;

/** What each kind asks of the twin. */
const DIRECTIVES: Readonly<Record<Shape, string>> = {
  short: '[twin: text 12 words]',
  medium: '[twin: events 60]',
  long: '[twin: events 400]',
  tool: '[twin: say I look.] [twin: tool Read {"file_path":"/tmp/notes.txt","limit":40}]',
  once: '[twin: text 20 words]',
};

/** The same of a real model. */
const WORDS: Readonly<Record<Shape, string>> = {
  short: 'Answer with the one word: ready.',
  medium: 'Count from 1 to 60, one number a line, nothing else.',
  long: 'Count from 1 to 200, one number a line, nothing else.',
  tool: 'Answer with a JSON object of two short keys, nothing else.',
  once: 'Answer with one short sentence about the sea.',
};

const alternating = (index: number): DrillLane => (index % 2 === 0 ? 'anthropic' : 'zai');
const mixed = (index: number): Shape =>
  index % LONG_EVERY === LONG_EVERY - 1 ? 'long' : (MIXTURE[(index >> 1) % 10] ?? 'short');

/** T1 Haiku, T2 Sonnet, T3 a medium stream. */
const WARMUP: readonly (readonly [DrillLane, Shape])[] = [
  ['zai', 'short'],
  ['anthropic', 'short'],
  ['anthropic', 'medium'],
];

const DEFAULTS: Readonly<Record<DrillName, Plan>> = {
  warmup: {
    name: 'warmup',
    alternation: null,
    count: WARMUP.length,
    ms: null,
    concurrency: 1,
    pauseMs: 0,
    laneOf: (index) => WARMUP[index]?.[0] ?? 'anthropic',
    shapeOf: (index) => WARMUP[index]?.[1] ?? 'short',
    promptBytes: 0,
  },
  alternate: drillOf('alternate', { count: 20, pauseMs: 250 }),
  soak: drillOf('soak', { ms: 30 * MS_PER_MINUTE, pauseMs: 2_000 }),
  parallel: { ...drillOf('parallel', { count: 80, concurrency: 4 }), laneOf: () => 'zai' },
  burst: drillOf('burst', { count: 30 }),
};

function drillOf(name: DrillName, own: Partial<Plan>): Plan {
  const common = {
    count: null,
    ms: null,
    concurrency: 1,
    pauseMs: 0,
    promptBytes: 0,
    alternation: null,
  };
  return { name, ...common, laneOf: alternating, shapeOf: mixed, ...own };
}

/** A drill with what the caller changed. A time that is given takes the place of the usual count. */
export function planOf(name: DrillName, options: PlanOptions = {}): Plan {
  const usual = DEFAULTS[name];
  const { minutes, count, concurrency, pauseMs, alternation = usual.alternation } = options;
  const bounded = minutes !== undefined || count !== undefined;
  const clients = concurrency ?? usual.concurrency;
  return {
    ...usual,
    ...(alternation === 'force' ? inTurns(clients) : {}),
    alternation,
    count: bounded ? (count ?? null) : usual.count,
    ms: bounded ? (minutes === undefined ? null : minutes * MS_PER_MINUTE) : usual.ms,
    concurrency: clients,
    pauseMs: pauseMs ?? usual.pauseMs,
  };
}

/** All clients ask the same lane, then the other: the switch is for all of them at once. */
function inTurns(clients: number): Pick<Plan, 'laneOf' | 'shapeOf'> {
  const turnOf = (index: number): number => Math.floor(index / clients);
  return {
    laneOf: (index) => alternating(turnOf(index)),
    shapeOf: (index) => mixed(turnOf(index)),
  };
}

/**
 * Request number `index` of a drill.
 *
 * @param simulated the twin answers; else a real model reads the prompt
 */
export function requestOf(plan: Plan, index: number, simulated: boolean): DrillRequest {
  const lane = plan.laneOf(index);
  const shape = plan.shapeOf(index);
  const tag = tagOf(index);
  const asked = simulated ? DIRECTIVES[shape] : WORDS[shape];
  return {
    tag,
    model: lane === 'zai' || plan.alternation === 'force' ? HAIKU : SONNET,
    lane,
    shape,
    stream: shape !== 'once',
    prompt: `${asked.padEnd(plan.promptBytes, FILLING)} (${tag})`,
    maxTokens: MAX_TOKENS,
  };
}

const TAG_PREFIX = 'drill-';
const TAG_DIGITS = 9;

/** The tag of request number `index`. */
export function tagOf(index: number): string {
  return TAG_PREFIX + String(index).padStart(TAG_DIGITS, '0');
}

/** The tag within a request body; null where there is none. */
export function tagWithin(body: Buffer): string | null {
  const at = body.lastIndexOf(TAG_PREFIX);
  const length = TAG_PREFIX.length + TAG_DIGITS;
  return at < 0 || at + length > body.length ? null : body.toString('latin1', at, at + length);
}
