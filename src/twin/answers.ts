/**
 * Answers that are one JSON object: the frame that both personas put around them.
 */
import type { Json } from './body.ts';
import type { MessageDialect } from './events.ts';
import type { Random } from './seed.ts';
import { type Field, headerOf, type PersonaName, type Step, type TwinRequest } from './types.ts';

/** An error to answer with. */
export interface ErrorSpec {
  readonly status: number;
  /** Null: the usual text of the status or code. */
  readonly message?: string | null;
  /** Business code (zai). */
  readonly code?: string | null;
  readonly fields?: readonly Field[];
}

/** An error in a persona's own shape. */
interface ErrorForm {
  readonly status: number;
  readonly body: Json;
  /** Fields that such an error has unless the spec brings its own of that name. */
  readonly fields: readonly Field[];
}

/** What a persona does in its own way. */
export interface Dialect extends MessageDialect {
  readonly name: PersonaName;
  readonly messageId: (random: Random) => string;
  readonly toolId: (random: Random) => string;
  readonly contentType: { readonly json: string; readonly stream: string };
  /** The fields of every answer but `content-type`, framing and coding. */
  readonly fields: (request: TwinRequest, id: string) => readonly Field[];
  readonly error: (spec: ErrorSpec, id: string) => ErrorForm;
  /** Why a model is refused, or null. */
  readonly refuseModel: (model: string) => ErrorSpec | null;
}

/** One request under the hands of a persona. */
export interface Occasion {
  readonly request: TwinRequest;
  readonly dialect: Dialect;
  /** The request id of the answer. */
  readonly id: string;
  readonly random: Random;
}

/** A JSON answer; with HEAD its payload is left out. */
export function jsonAnswer(
  occasion: Occasion,
  status: number,
  value: Json,
  extra: readonly Field[] = [],
): Step[] {
  return wholeAnswer(occasion, status, Buffer.from(JSON.stringify(value)), extra);
}

/** An error in the persona's own shape. */
export function errorAnswer(occasion: Occasion, spec: ErrorSpec): Step[] {
  const { status, body, fields } = occasion.dialect.error(spec, occasion.id);
  const own = spec.fields ?? [];
  const usual = fields.filter(([name]) => headerOf(own, name) === undefined);
  return jsonAnswer(occasion, status, body, [...own, ...usual]);
}

/** A payload of known length. */
export function wholeAnswer(
  { request, dialect, id }: Occasion,
  status: number,
  payload: Buffer,
  extra: readonly Field[] = [],
): Step[] {
  const head: Step = {
    kind: 'head',
    status,
    fields: [
      ['Content-Type', dialect.contentType.json],
      ['Content-Length', String(payload.length)],
      ...extra,
      ...dialect.fields(request, id),
    ],
  };
  return request.method === 'HEAD' ? [head] : [head, { kind: 'bytes', bytes: payload }];
}
