/**
 * Takes in the body of a routed request: holds it, and reads the two keys that matter as it passes.
 */
import { fieldValue } from '../core/fields.ts';
import { createKeyScanner, type KeyScanner, wantKeys } from '../core/json/scanner.ts';
import { HELD_BODY_BYTES_MAX } from '../core/limits.ts';
import type { RequestHead } from '../core/message.ts';
import { createHeldBody, type HeldBody, type HoldBudget } from './held-body.ts';

const KEYS = wantKeys('model', 'stream');

/** What a complete body said. */
export interface IntakeFacts {
  /** Null where it could not be read for sure. */
  readonly model: string | null;
  /** Null where the body could not be read. */
  readonly stream: boolean | null;
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
  const held = createHeldBody(budget);
  const scanner: KeyScanner | null = isPlain(head) ? createKeyScanner(KEYS) : null;
  return {
    held,
    hopeless: head.framing.kind === 'length' && head.framing.length > HELD_BODY_BYTES_MAX,
    take(slice) {
      if (!held.add(slice)) return false;
      scanner?.push(slice);
      return true;
    },
    finish() {
      const scan = scanner?.finish();
      if (scan?.complete !== true) return { model: null, stream: null };
      const model = scan.values.get('model');
      const stream = scan.values.get('stream');
      return {
        model: model?.kind === 'string' ? model.value : null,
        stream: stream?.kind === 'literal' && stream.text === 'true',
      };
    },
  };
}

/** A body under a content coding can not be read, so it is not routed. */
function isPlain(head: RequestHead): boolean {
  const coding = fieldValue(head.fields, 'content-encoding');
  return coding === undefined || coding.trim().toLowerCase() === 'identity';
}
