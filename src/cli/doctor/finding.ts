/** What a check found: how bad it is, what it is, and how to mend it. */

export interface Finding {
  readonly check: string;
  readonly level: 'ok' | 'warn' | 'error';
  readonly message: string;
  /** What to do about it; null where nothing is to be done. */
  readonly mend: string | null;
}

export function ok(check: string, message: string): Finding {
  return { check, level: 'ok', message, mend: null };
}

export function warn(check: string, message: string, mend: string): Finding {
  return { check, level: 'warn', message, mend };
}

export function error(check: string, message: string, mend: string): Finding {
  return { check, level: 'error', message, mend };
}
