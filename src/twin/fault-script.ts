/**
 * What a fault makes of an answer: a script in place of the persona's, or the persona's own with
 * steps added, changed or left out. Counts and sizes are of pieces: one piece is one event of a
 * stream, or the whole of any other answer.
 */
import type { ErrorSpec } from './answers.ts';
import { cutSteps } from './encoding.ts';
import { anthropicErrorOfType } from './errors.ts';
import { sse } from './events.ts';
import type { FaultOf, RequestFault } from './plan-schema.ts';
import { type BreakOff, type Field, headerOf, type Script, type Step } from './types.ts';

const AFTER_EVENTS_DEFAULT = 3;
/** A reset overtakes what a client has received but not read yet: it comes after a lull. */
const LULL_MS_DEFAULT = 20;
const HTML =
  '<!doctype html>\n<html><head><title>Just a moment...</title></head><body>Just a moment...</body></html>\n';

/** What a fault needs of the persona whose answer it spoils. */
export interface Victim {
  /** The usual answer. */
  readonly answer: () => Script;
  /** The usual answer in the clear, one event a piece, whatever was asked for. */
  readonly plain: () => Script;
  /** The usual answer under gzip, whatever was asked for. */
  readonly zipped: () => Script;
  /** An error in the persona's own shape. */
  readonly fail: (spec: ErrorSpec) => Script;
  /** In [0, 1), for what is drawn. */
  readonly share: number;
}

/** The script that a fault leaves to be played. */
export function spoil(fault: RequestFault, victim: Victim): Script {
  switch (fault.kind) {
    case 'status':
      return victim.fail({
        status: fault.status,
        code: fault.code ?? null,
        message: fault.message ?? null,
        fields: statusFields(fault),
      });
    case 'auth_mode':
      return victim.fail({ status: 401 });
    case 'concurrency':
      return victim.fail({ status: 429 });
    case 'html':
      return htmlAnswer(fault.status ?? 200);
    case 'reset_before_head':
      return [breakOff({ how: 'reset' })];
    case 'refused_stream':
      return [breakOff({ how: 'refused_stream' })];
    case 'refuse':
      return [breakOff({ how: 'outage', ms: fault.ms })];
    case 'goaway':
      return fault.processed === true
        ? before([{ kind: 'farewell' }], victim.answer())
        : [breakOff({ how: 'goaway' })];
    case 'stall_before_head':
      return before([{ kind: 'pause', ms: fault.ms ?? null }], victim.answer());
    case 'latency': {
      const ms = fault.ms + Math.floor(victim.share * ((fault.jitter_ms ?? 0) + 1));
      return before([{ kind: 'pause', ms }], victim.answer());
    }
    case 'drip':
      return paced(cutSteps(victim.answer(), [fault.bytes]), fault.every_ms);
    case 'split':
      return cutSteps(victim.answer(), fault.sizes);
    default:
      return midway(fault, victim);
  }
}

type Midway = FaultOf<
  | 'reset_mid_stream'
  | 'end_mid_stream'
  | 'stall_mid_stream'
  | 'bad_json'
  | 'error_event'
  | 'truncated_gzip'
>;

function midway(fault: Midway, victim: Victim): Script {
  switch (fault.kind) {
    case 'reset_mid_stream':
      return interrupted(victim.answer(), {
        ...pointOf(fault),
        steps: [lullOf(fault), breakOff({ how: 'reset' })],
      });
    case 'end_mid_stream':
      return fault.how === 'truncate'
        ? interrupted(victim.answer(), { ...pointOf(fault), ends: true })
        : interrupted(victim.answer(), {
            ...pointOf(fault),
            steps: [lullOf(fault), breakOff({ how: 'fin' })],
          });
    case 'stall_mid_stream':
      return interrupted(victim.answer(), {
        ...pointOf(fault),
        steps: [{ kind: 'pause', ms: fault.ms ?? null }],
        goesOn: true,
      });
    case 'bad_json':
      return interrupted(victim.plain(), {
        ...pointOf(fault),
        next: brokenEvent,
        goesOn: true,
        ends: true,
      });
    case 'error_event':
      return interrupted(victim.plain(), {
        ...pointOf(fault),
        steps: [{ kind: 'bytes', bytes: errorEvent(fault) }],
      });
    case 'truncated_gzip':
      return interrupted(victim.zipped(), { ...pointOf(fault), next: firstHalf, ends: true });
  }
}

/** Where an answer is interrupted, and what happens there. */
interface Interruption {
  /** Pieces before it. */
  readonly events: number;
  /** Payload bytes before it, in place of `events`. */
  readonly bytes: number | null;
  /** Played there. */
  readonly steps?: readonly Step[];
  /** What becomes of the next piece. */
  readonly next?: ((piece: Buffer) => Buffer) | undefined;
  /** The rest follows; otherwise the answer ends there. */
  readonly goesOn?: boolean;
  /** A message of known length shall end properly: its length is put right. */
  readonly ends?: boolean;
}

async function* interrupted(script: Script, asked: Interruption): AsyncGenerator<Step> {
  let how = asked;
  let part = meterOf(how);
  let done = false;
  for await (const step of script) {
    if (step.kind === 'head') {
      const length = headerOf(step.fields, 'content-length');
      if (length !== undefined) how = ofLength(asked, Number(length));
      part = meterOf(how);
      const head = { ...step, mayBreak: true };
      yield how.ends === true && how.bytes !== null ? withLength(head, how.bytes) : head;
      continue;
    }
    const parted = done || step.kind !== 'bytes' ? null : part(step.bytes);
    if (parted === null) {
      yield step;
      continue;
    }
    done = true;
    yield* partedSteps(parted, how);
    if (how.goesOn !== true) return;
  }
  if (!done) yield* how.steps ?? [];
}

function* partedSteps({ before: sent, rest }: Parted, how: Interruption): Generator<Step> {
  yield { kind: 'bytes', bytes: sent };
  yield* how.steps ?? [];
  if (how.next !== undefined) yield { kind: 'bytes', bytes: how.next(rest) };
  else if (how.goesOn === true) yield { kind: 'bytes', bytes: rest };
}

/** What has a length is one piece: it is parted in its middle. */
function ofLength(how: Interruption, length: number): Interruption {
  return {
    ...how,
    bytes: Math.min(how.bytes ?? Math.floor(length / 2), length),
    next: undefined,
    goesOn: how.goesOn === true && how.ends !== true,
  };
}

function meterOf({ events, bytes }: Interruption): Meter {
  return bytes === null ? eventMeter(events) : byteMeter(bytes);
}

/** Parts the piece at which an answer is interrupted; null for the pieces before it. */
type Meter = (piece: Buffer) => Parted | null;

interface Parted {
  readonly before: Buffer;
  readonly rest: Buffer;
}

function eventMeter(events: number): Meter {
  let left = events;
  return (piece) => {
    if (left === 0) return { before: piece.subarray(0, 0), rest: piece };
    left -= 1;
    return null;
  };
}

function byteMeter(bytes: number): Meter {
  let left = bytes;
  return (piece) => {
    if (left <= piece.length)
      return { before: piece.subarray(0, left), rest: piece.subarray(left) };
    left -= piece.length;
    return null;
  };
}

function pointOf(fault: { after_events?: number | undefined; after_bytes?: number | undefined }): {
  events: number;
  bytes: number | null;
} {
  return {
    events: fault.after_events ?? AFTER_EVENTS_DEFAULT,
    bytes: fault.after_bytes ?? null,
  };
}

function lullOf(fault: { lull_ms?: number | undefined }): Step {
  return { kind: 'pause', ms: fault.lull_ms ?? LULL_MS_DEFAULT };
}

function withLength(step: Extract<Step, { kind: 'head' }>, length: number): Step {
  return {
    ...step,
    fields: step.fields.map(
      (field): Field =>
        field[0].toLowerCase() === 'content-length' ? [field[0], String(length)] : field,
    ),
  };
}

/** An event whose data line stops short of its end, the frame around it intact. */
function brokenEvent(event: Buffer): Buffer {
  const text = event.toString();
  const data = text.indexOf('data: ');
  const cut = data + Math.max('data: {'.length, Math.floor((text.trimEnd().length - data) / 2));
  return Buffer.from(`${text.slice(0, cut)}\n\n`);
}

function firstHalf(piece: Buffer): Buffer {
  return piece.subarray(0, Math.floor(piece.length / 2));
}

function errorEvent({ type = 'overloaded_error', message }: FaultOf<'error_event'>): Buffer {
  const error = { type, message: message ?? anthropicErrorOfType(type) };
  return sse('error', { type: 'error', error });
}

function statusFields(fault: FaultOf<'status'>): Field[] {
  const fields: Field[] = [];
  if (fault.retry_after !== undefined) fields.push(['retry-after', String(fault.retry_after)]);
  if (fault.should_retry !== undefined) fields.push(['x-should-retry', String(fault.should_retry)]);
  return [...fields, ...Object.entries(fault.headers ?? {})];
}

function htmlAnswer(status: number): Step[] {
  const bytes = Buffer.from(HTML);
  const fields: Field[] = [
    ['Content-Type', 'text/html; charset=UTF-8'],
    ['Content-Length', String(bytes.length)],
    ['Server', 'cloudflare'],
  ];
  return [
    { kind: 'head', status, fields },
    { kind: 'bytes', bytes },
  ];
}

function breakOff(how: BreakOff): Step {
  return { kind: 'break', ...how };
}

async function* before(steps: readonly Step[], script: Script): AsyncGenerator<Step> {
  yield* steps;
  yield* script;
}

/** The script with silence between its pieces. */
async function* paced(script: Script, ms: number): AsyncGenerator<Step> {
  let first = true;
  for await (const step of script) {
    if (step.kind === 'bytes') {
      if (!first) yield { kind: 'pause', ms };
      first = false;
    }
    yield step;
  }
}
