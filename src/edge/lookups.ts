/**
 * Resolving names for tunnels, a few at a time.
 *
 * The system resolves a name by blocking a thread, of which the process has four, also for the files of
 * the ledger, the tap's decoders and the names of the lanes. Tunnels to names that a resolver takes long
 * over, and any page or tool can ask for many, may hold up each other, but nothing else.
 */
import { type LookupAddress, type LookupAllOptions, type LookupOptions, lookup } from 'node:dns';
import { TUNNEL_LOOKUPS_MAX } from '../core/limits.ts';

type Answer = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void;

/** Gives all addresses of a name. */
export type Resolve = (hostname: string, options: LookupAllOptions, answer: Answer) => void;

/** Resolves in its turn; one that nobody waits for any more, when that comes, is left out. */
export type Lookups = (
  hostname: string,
  options: LookupOptions,
  isWanted: () => boolean,
  answer: Answer,
) => void;

/** Makes a queue of its own. */
export function createLookups(resolve: Resolve = lookup, max = TUNNEL_LOOKUPS_MAX): Lookups {
  const waiting: { readonly isWanted: () => boolean; readonly start: () => void }[] = [];
  let active = 0;
  const next = (): void => {
    while (active < max) {
      const first = waiting.shift();
      if (first === undefined) return;
      if (!first.isWanted()) continue;
      active += 1;
      first.start();
    }
  };
  return (hostname, options, isWanted, answer) => {
    const start = (): void =>
      resolve(hostname, { ...options, all: true }, (error, addresses) => {
        active -= 1;
        answer(error, addresses);
        next();
      });
    waiting.push({ isWanted, start });
    next();
  };
}

/** That of the process. */
export const lookups: Lookups = createLookups();
