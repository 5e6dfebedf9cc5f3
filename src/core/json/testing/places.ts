/** Bodies read and planned for at once, as the relay and a keyed lane do it between them. */
import {
  EDITED_KEYS,
  type Edit,
  type EditPlan,
  PLACED_ONLY,
  type Place,
  planEdits,
} from '../cutter.ts';
import { createKeyScanner, wantKeys } from '../scanner.ts';

const KEYS = wantKeys(...EDITED_KEYS);

/** Where a body may be edited; null where it is not one whole object. */
export function placesIn(body: readonly Buffer[]): Place[] | null {
  const places: Place[] = [];
  const scanner = createKeyScanner(KEYS, {
    placedOnly: PLACED_ONLY,
    onValue: (key, start, end, { kind }) => places.push({ key, start, end, kind }),
  });
  for (const piece of body) scanner.push(piece);
  return scanner.finish().complete ? places : null;
}

/** The edits of a body in pieces; null where none can be planned. */
export function editsOf(body: readonly Buffer[], plan: EditPlan): Edit[] | null {
  const places = placesIn(body);
  return places === null ? null : planEdits(body, places, plan);
}
