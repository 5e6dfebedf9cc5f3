/** Phases for tests: met, of the twin, by the built-in client, unless told otherwise. */
import { NO_FIGURES, type Phase } from '../record.ts';

/** A phase of a name. */
export function madePhase(name: string, more: Partial<Phase> = {}): Phase {
  return {
    name,
    start: '2026-11-26T10:00:00.000Z',
    end: '2026-11-26T10:10:00.000Z',
    verdict: 'met',
    command: `lanekeeper drill ${name}`,
    lanes: 'twin',
    client: 'raw',
    alternates: null,
    faults: null,
    switches: { force: true, paused: false, tee: false },
    marks: [],
    figures: { ...NO_FIGURES, whole: 0, misroutes: 0, stalls: 0 },
    isolation: null,
    checks: [{ name: 'streams', met: true, detail: '0 of 0 whole' }],
    ...more,
  };
}
