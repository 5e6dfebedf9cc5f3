/**
 * The fault plan: one schema that is its types, its documentation and its validator. What each fault
 * does to a client is told in docs/twin.md; how rules are matched and counted, in `faults.ts`.
 *
 * zod takes long to load, so everybody but `plan.ts` imports types only from here.
 */
import { z } from 'zod';
import { TWIN_FAULT_MS_MAX, TWIN_FAULT_RULES_MAX } from '../core/limits.ts';

const COUNT_MAX = 1_000_000_000;
const BYTES_MAX = 1_000_000_000;
const SIZES_MAX = 1_000;
const TEXT_CHARS_MAX = 4_096;
const SEED_MAX = 0xffff_ffff;
const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;
const FIELD_VALUE = /^[\t\x20-\x7e]{0,1024}$/;

/** A field of the plan that may be left out, with the sentence that explains it. */
function optional<T extends z.ZodType>(type: T, description: string) {
  return type.optional().meta({ description });
}

const count = z.int().min(1).max(COUNT_MAX);
const ms = z.int().min(0).max(TWIN_FAULT_MS_MAX);
const headerMode = z.enum(['x-api-key', 'authorization']);
const glob = z.string().min(1).max(256);

const afterEvents = optional(
  z.int().min(0).max(COUNT_MAX),
  'events (pieces of the answer) that go out before it; default 3',
);
const afterBytes = optional(
  z.int().min(0).max(BYTES_MAX),
  'payload bytes that go out before it, in place of after_events',
);
const lull = optional(ms, 'silence before it, ms, so that what was sent arrives; default 20');
const point = { after_events: afterEvents, after_bytes: afterBytes };
const untilGone = optional(ms, 'for how long, ms; default: until the client leaves');
const needed = (description: string) => ms.meta({ description });

const matchSchema = z.strictObject({
  persona: optional(z.enum(['anthropic', 'zai']), 'anthropic or zai; default both'),
  path: optional(glob, 'a glob over the path below the base path, such as /v1/messages'),
  model: optional(glob, 'a quoted glob over the model id, such as "*haiku*"'),
  stream: optional(z.boolean(), 'true: only requests for a stream; false: only the others'),
  header: optional(headerMode, 'x-api-key or authorization: where the credential is presented'),
  skip: optional(count, 'how many matching requests are let pass first'),
  every: optional(count, 'every how many matching requests; default 1'),
  rate: optional(z.number().min(0).max(1), 'a share from 0 to 1, drawn from the seed'),
  times: optional(count, 'how many times at most'),
});

const faultSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('status'),
    status: z.int().min(400).max(599).meta({ description: 'a status from 400 to 599' }),
    code: optional(
      z.string().regex(/^\d{1,8}$/),
      'quoted digits: the business code (zai), such as "1302"',
    ),
    message: optional(z.string().max(TEXT_CHARS_MAX), 'the text of the error'),
    retry_after: optional(z.int().min(0).max(COUNT_MAX), 'Retry-After in whole seconds'),
    should_retry: optional(z.boolean(), 'x-should-retry: true or false'),
    headers: optional(
      z.record(z.string().regex(FIELD_NAME), z.string().regex(FIELD_VALUE)),
      'further fields of the answer, names to values',
    ),
  }),
  z.strictObject({
    kind: z.literal('auth_mode'),
    refuses: headerMode.meta({ description: 'x-api-key or authorization: what gets the 401' }),
  }),
  z.strictObject({ kind: z.literal('reset_before_head') }),
  z.strictObject({ kind: z.literal('reset_mid_stream'), ...point, lull_ms: lull }),
  z.strictObject({
    kind: z.literal('end_mid_stream'),
    how: z.enum(['close', 'truncate']).meta({
      description: 'close: FIN, the message incomplete; truncate: a proper end, the content short',
    }),
    ...point,
    lull_ms: lull,
  }),
  z.strictObject({ kind: z.literal('stall_before_head'), ms: untilGone }),
  z.strictObject({ kind: z.literal('stall_mid_stream'), ...point, ms: untilGone }),
  z.strictObject({
    kind: z.literal('drip'),
    bytes: z.int().min(1).max(BYTES_MAX).meta({ description: 'payload bytes of one drop' }),
    every_ms: needed('silence between two drops, ms'),
  }),
  z.strictObject({ kind: z.literal('bad_json'), after_events: afterEvents }),
  z.strictObject({
    kind: z.literal('html'),
    status: optional(z.int().min(200).max(599), 'the status; default 200'),
  }),
  z.strictObject({
    kind: z.literal('error_event'),
    after_events: afterEvents,
    type: optional(
      z.string().regex(/^[a-z_]{1,64}$/),
      'the type of the error; default overloaded_error',
    ),
    message: optional(z.string().max(TEXT_CHARS_MAX), 'the text of the error'),
  }),
  z.strictObject({
    kind: z.literal('goaway'),
    processed: optional(
      z.boolean(),
      'true: this request is still answered; false (default): it counts as not processed',
    ),
  }),
  z.strictObject({ kind: z.literal('refused_stream') }),
  z.strictObject({ kind: z.literal('truncated_gzip'), after_events: afterEvents }),
  z.strictObject({ kind: z.literal('slow_tls'), ms: needed('delay of the handshake, ms') }),
  z.strictObject({ kind: z.literal('refuse'), ms: needed('how long nobody listens, ms') }),
  z.strictObject({
    kind: z.literal('idle_close'),
    ms: needed('how long a connection may be idle, ms'),
    how: optional(z.enum(['fin', 'reset']), 'fin (default) or reset'),
  }),
  z.strictObject({
    kind: z.literal('concurrency'),
    max: z.int().min(0).max(COUNT_MAX).meta({ description: 'requests allowed at once' }),
  }),
  z.strictObject({
    kind: z.literal('latency'),
    ms: needed('silence before the head, ms'),
    jitter_ms: optional(ms, 'up to so much more, ms, drawn from the seed'),
  }),
  z.strictObject({
    kind: z.literal('split'),
    sizes: z.array(z.int().min(1).max(BYTES_MAX)).min(1).max(SIZES_MAX).meta({
      description: 'sizes of the pieces in bytes, one after the other, then from the start',
    }),
  }),
]);

const CONNECTION_KINDS: ReadonlySet<string> = new Set(['slow_tls', 'idle_close']);
const REQUEST_MATCHES = ['path', 'model', 'stream', 'header'] as const;

const ruleSchema = z
  .strictObject({
    match: optional(matchSchema, 'what the fault is for; default: everything'),
    fault: faultSchema,
  })
  .check(({ value, issues }) => {
    const refuse = (path: string[], message: string): void => {
      issues.push({ code: 'custom', input: value, path, message });
    };
    const { fault, match } = value;
    if ('after_bytes' in fault && fault.after_bytes !== undefined) {
      if (fault.after_events !== undefined) {
        refuse(['fault', 'after_bytes'], 'stands beside after_events, which says the same');
      }
    }
    if (!CONNECTION_KINDS.has(fault.kind)) return;
    for (const name of REQUEST_MATCHES) {
      if (match?.[name] === undefined) continue;
      refuse(['match', name], `is of a request, and ${fault.kind} is for a connection`);
    }
  });

/** The plan as a file or a control call has it. */
export const planSchema = z.strictObject({
  seed: optional(
    z.int().min(0).max(SEED_MAX),
    'what rates and jitter are drawn from; default: the seed of the twin',
  ),
  rules: z.array(ruleSchema).max(TWIN_FAULT_RULES_MAX).meta({
    description: 'a list of rules, each a match and a fault; the first that applies counts',
  }),
});

/** What goes wrong, for whom. */
export type FaultPlan = z.output<typeof planSchema>;
export type FaultRule = z.output<typeof ruleSchema>;
export type FaultMatch = z.output<typeof matchSchema>;
export type Fault = z.output<typeof faultSchema>;
export type FaultKind = Fault['kind'];
export type FaultOf<K extends FaultKind> = Extract<Fault, { kind: K }>;
/** Decided when a connection comes, before there is a request. */
export type ConnectionFault = FaultOf<'slow_tls' | 'idle_close'>;
export type RequestFault = Exclude<Fault, ConnectionFault>;

/** A setting of the plan, with its names or its explanation. */
export interface Setting {
  /** Names that may stand below it; none for a plain value. */
  readonly names: readonly string[];
  readonly description: string | null;
}

/**
 * Finds the setting at a path.
 *
 * @param kind the fault's kind at the path's rule, where it has one
 */
export function settingAt(path: readonly PropertyKey[], kind: unknown): Setting {
  const [, , part, name] = path;
  const branch = faultSchema.options.find((option) => option.shape.kind.value === kind);
  const shapes: Readonly<Record<string, Readonly<Record<string, z.ZodType>>>> = {
    match: matchSchema.shape,
    fault: branch?.shape ?? {},
  };
  if (path.length === 0) return { names: Object.keys(planSchema.shape), description: null };
  if (path.length === 1) return { names: [], description: about(planSchema.shape, path[0]) };
  if (path.length === 2) return { names: Object.keys(ruleSchema.shape), description: null };
  const shape = shapes[String(part)] ?? {};
  if (name === undefined) {
    const description = part === 'fault' ? 'a map with a kind' : about(ruleSchema.shape, part);
    return { names: Object.keys(shape), description };
  }
  if (part === 'fault' && name === 'kind') {
    const kinds = faultSchema.options.map((option) => option.shape.kind.value);
    return { names: [], description: `one of ${kinds.join(', ')}` };
  }
  return { names: [], description: about(shape, name) };
}

function about(
  shape: Readonly<Record<string, z.ZodType>>,
  name: PropertyKey | undefined,
): string | null {
  const type = Object.hasOwn(shape, name ?? '') ? shape[String(name)] : undefined;
  return type?.meta()?.description ?? null;
}
