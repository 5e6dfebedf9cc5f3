/** A drill as a phase of the session of its home: what the record keeps of it beside its outcome. */

import { basename, join } from 'node:path';
import { isRunning, readStatus } from '../../admin/client.ts';
import { redactText } from '../../ledger/redact.ts';
import { sessionHash } from '../../ledger/session-hash.ts';
import type { PhaseSetting } from '../../session/phases.ts';
import type { Phase } from '../../session/record.ts';
import { appendPhase, beginSession, readSession } from '../../session/record-file.ts';
import type { Twin } from '../../twin/index.ts';
import type { FaultOptions } from '../drill/faults.ts';
import { type CommonOptions, homeOf } from '../settings.ts';

/** Options that say where a phase belongs. */
export interface PhaseOptions extends CommonOptions, FaultOptions {
  readonly newSession?: boolean;
}

/** What a drill says of itself, once it knows its proxy and before it asks anything. */
export interface DrillFacts {
  /** Path of the ledger that its records are in, or null. */
  readonly evidence: string | null;
  readonly simulated: boolean;
  readonly client: string;
  /** The twin of the drill's own, or null. */
  readonly twin: Twin | null;
  /** Session ids that its clients send. */
  readonly sessions: readonly string[];
}

/** Keeps a phase: given what came of it, writes it down. */
export type KeepPhase = (
  phaseOf: (setting: PhaseSetting) => Phase | Promise<Phase>,
) => Promise<void>;

/**
 * Begins a phase. Where the records of a drill are in no ledger of the home, nobody could judge it later,
 * and nothing is kept.
 */
export async function beginPhase(options: PhaseOptions, facts: DrillFacts): Promise<KeepPhase> {
  const home = homeOf(options);
  if (facts.evidence !== join(home, 'logs', 'usage.jsonl')) return async () => undefined;
  const start = Date.now();
  const rules = facts.twin?.faults().rules.length ?? 0;
  const setting = {
    start,
    command: commandTyped(),
    lanes: facts.simulated ? 'twin' : 'real',
    client: facts.client,
    faults: rules === 0 ? null : { name: basename(options.faults ?? 'mix'), rules },
    switches: await switchesOf(home),
    marks: facts.sessions.map(sessionHash),
  } as const;
  if (options.newSession === true) await beginSession(home, start, 'drill');
  // A record that is damaged is told now, not when a drill of half an hour wants to be added to it.
  else await readSession(home);
  return async (phaseOf) => {
    await appendPhase(home, await phaseOf({ ...setting, end: Date.now() }));
  };
}

/** What was typed, redacted. */
export function commandTyped(): string {
  return redactText(`lanekeeper ${process.argv.slice(2).join(' ')}`);
}

async function switchesOf(home: string): Promise<Phase['switches']> {
  if (!(await isRunning(home))) return null;
  const { force, paused, tee } = await readStatus(home);
  return { force, paused, tee };
}
