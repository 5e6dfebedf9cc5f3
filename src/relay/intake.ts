/**
 * Takes in the body of a routed request: holds it, and finds the few keys that matter as it passes.
 */
import { fieldValue } from '../core/fields.ts';
import { EDITED_KEYS, PLACED_ONLY, type Place } from '../core/json/cutter.ts';
import {
  createKeyScanner,
  type JsonValue,
  type KeyScanner,
  wantKeys,
} from '../core/json/scanner.ts';
import { EDITED_PLACES_MAX, HELD_BODY_BYTES_MAX } from '../core/limits.ts';
import type { Fields, RequestHead } from '../core/message.ts';
import { createHeldBody, type HeldBody, type HoldBudget } from './held-body.ts';

const STREAM = 'stream';
const KEYS = wantKeys(STREAM, ...EDITED_KEYS);

/** What a complete body said. */
export interface IntakeFacts {
  /** Null where it could not be read for sure. */
  readonly model: string | null;
  /** Null where the body could not be read. */
  readonly stream: boolean | null;
  /** Of all that an edit may concern; null where the body could not be read, or has too many. */
  readonly places: readonly Place[] | null;
}

export interface Intake {
  readonly held: HeldBody;
  /** The declared length already says that the body can not be held. */
  readonly hopeless: boolean;
  /** Takes a slice of payload; false where it can not be held, and then it was not taken. */
  take(slice: Buffer): boolean;
  finish(): IntakeFacts;
}

export function createIntake(head: RequestHead, budget: HoldBudget): Intake {
  return new BodyIntake(head, budget);
}

const UNREAD: IntakeFacts = { model: null, stream: null, places: null };

class BodyIntake implements Intake {
  readonly held: HeldBody;
  readonly hopeless: boolean;
  readonly #scanner: KeyScanner | null;
  readonly #places: Place[] = [];
  #hasMore = false;

  constructor({ fields, framing }: RequestHead, budget: HoldBudget) {
    this.held = createHeldBody(budget);
    this.hopeless = framing.kind === 'length' && framing.length > HELD_BODY_BYTES_MAX;
    this.#scanner = isPlain(fields)
      ? createKeyScanner(KEYS, {
          placedOnly: PLACED_ONLY,
          onValue: (key, start, end, value) => this.#found(key, start, end, value),
        })
      : null;
  }

  take(slice: Buffer): boolean {
    if (!this.held.add(slice)) return false;
    this.#scanner?.push(slice);
    return true;
  }

  finish(): IntakeFacts {
    const scan = this.#scanner?.finish();
    if (scan?.complete !== true) return UNREAD;
    const model = scan.values.get('model');
    const stream = scan.values.get(STREAM);
    return {
      model: model?.kind === 'string' ? model.value : null,
      stream: stream?.kind === 'literal' && stream.text === 'true',
      places: this.#hasMore ? null : this.#places,
    };
  }

  #found(key: string, start: number, end: number, { kind }: JsonValue): void {
    if (key === STREAM) return;
    if (this.#places.length < EDITED_PLACES_MAX) this.#places.push({ key, start, end, kind });
    else this.#hasMore = true;
  }
}

/** A body under a content coding can not be read, so it is not routed. */
function isPlain(fields: Fields): boolean {
  const coding = fieldValue(fields, 'content-encoding');
  return coding === undefined || coding.trim().toLowerCase() === 'identity';
}
