/**
 * `results/SESSION.json` on disk: begun, continued, read. It is always whole, and a session that a new
 * one follows is kept beside it.
 *
 * Two phases that end in the same instant, in two processes, are not provided for: a session is one
 * phase after the other.
 */
import { randomUUID } from 'node:crypto';
import { readFile, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SESSION_FILE_BYTES_MAX } from '../core/limits.ts';
import { writeWhole } from '../reports/write.ts';
import { SessionError } from './errors.ts';
import { type Phase, SESSION_VERSION, type SessionRecord, sessionSchema } from './record.ts';

const FILE = 'SESSION.json';

/** Where the record of a home lies. */
export function sessionPath(home: string): string {
  return join(home, 'results', FILE);
}

/**
 * The session of a home; null where there is none.
 *
 * @throws SessionError where the file is not what it should be
 */
export async function readSession(home: string): Promise<SessionRecord | null> {
  const path = sessionPath(home);
  let text: string;
  try {
    const { size } = await stat(path);
    if (size > SESSION_FILE_BYTES_MAX)
      throw bad(path, `is larger than ${SESSION_FILE_BYTES_MAX} bytes`);
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw bad(path, 'is no JSON');
  }
  const parsed = sessionSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw bad(path, `${issue?.path.join('.') || 'as a whole'}: ${issue?.message}`);
}

/**
 * Begins a session. The former one is moved to `SESSION-STAMP.json`, named by this moment.
 *
 * @param now Unix ms
 */
export async function beginSession(
  home: string,
  now: number,
  by: SessionRecord['by'],
): Promise<SessionRecord> {
  await setAside(home, now);
  const start = new Date(now).toISOString();
  const id = randomUUID();
  return write(home, { version: SESSION_VERSION, id, by, start, end: null, phases: [] });
}

/**
 * Adds a phase to the session of a home, or to a new one where there is none.
 *
 * @returns the session as it is now
 * @throws SessionError as `readSession`
 */
export async function appendPhase(home: string, phase: Phase): Promise<SessionRecord> {
  const began = Date.parse(phase.start);
  const session = (await readSession(home)) ?? (await beginSession(home, began, 'drill'));
  // Moments are all in UTC and of one form, so that they compare as texts.
  const start = phase.start < session.start ? phase.start : session.start;
  const end = session.end !== null && session.end > phase.end ? session.end : phase.end;
  return write(home, { ...session, start, end, phases: [...session.phases, phase] });
}

async function write(home: string, session: SessionRecord): Promise<SessionRecord> {
  await writeWhole(sessionPath(home), `${JSON.stringify(session, null, 2)}\n`);
  return session;
}

async function setAside(home: string, now: number): Promise<void> {
  const stamp = new Date(now).toISOString().replace(/[-:.]/g, '');
  try {
    await rename(sessionPath(home), join(home, 'results', `SESSION-${stamp}.json`));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

function bad(path: string, what: string): SessionError {
  return new SessionError(`${path} ${what}; begin a new session (drill NAME --new-session)`);
}
