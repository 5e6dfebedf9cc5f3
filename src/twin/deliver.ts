/**
 * Plays the script of an answer on a connection: step by step, waiting where the client is slow,
 * ending at once where it is gone.
 */
import assert from 'node:assert/strict';
import type { Writable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import type { BreakOff, Field, Script } from './types.ts';

/** Where an answer goes. */
export interface Stage {
  readonly output: Writable;
  head(status: number, fields: readonly Field[], mayBreak: boolean): void;
  /** @returns how it was done */
  breakOff(how: BreakOff): BreakOff['how'];
  /** Says that the connection ends with its last answer. */
  farewell(): void;
}

/** Who is told what was sent. */
export interface Audience {
  head(status: number, fields: readonly Field[]): void;
  sent(bytes: Buffer): void;
  /** The answer was broken off on purpose. */
  broken(how: BreakOff['how']): void;
}

/** Plays a script to its end, or until the client is gone. */
export async function deliver(stage: Stage, script: Script, audience: Audience): Promise<void> {
  const { output } = stage;
  let begun = false;
  for await (const step of script) {
    if (output.destroyed) return;
    switch (step.kind) {
      case 'head':
        assert(!begun, 'an answer has one head');
        begun = true;
        stage.head(step.status, step.fields, step.mayBreak === true);
        audience.head(step.status, step.fields);
        break;
      case 'bytes': {
        assert(begun, 'the head goes before the bytes');
        if (step.bytes.length === 0) break;
        audience.sent(step.bytes);
        if (!output.write(step.bytes)) await drained(output);
        // Node joins what is written within one turn: each piece shall be a write of its own.
        await turn();
        break;
      }
      case 'pause':
        await silence(output, step.ms);
        break;
      case 'break':
        audience.broken(stage.breakOff(step));
        return;
      case 'farewell':
        stage.farewell();
        break;
    }
  }
  if (output.destroyed) return;
  assert(begun, 'an answer has a head');
  output.end();
}

/** Resolves when there is room again, or when nothing will ever be read. */
function drained(output: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      output.off('drain', done);
      output.off('close', done);
      resolve();
    };
    if (output.destroyed) return resolve();
    output.on('drain', done);
    output.on('close', done);
  });
}

function silence(output: Writable, ms: number | null): Promise<void> {
  return new Promise((resolve) => {
    if (output.destroyed) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      output.off('close', done);
      resolve();
    };
    const timer = ms === null ? undefined : setTimeout(done, ms);
    output.on('close', done);
  });
}
