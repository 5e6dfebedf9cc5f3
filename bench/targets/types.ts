/** What is measured: how it is found, started, reached and read. */
import type { Access } from '../load/types.ts';

/** `tls`: a client that trusts the target's certificate; `gateway`: plain HTTP; `h2`: HTTP/2 over TLS. */
export type Way = 'tls' | 'gateway' | 'h2';

/** `whole`: routes, swaps the key and notes what was used; `routes`: without the note; `passes`: neither. */
export type Duty = 'whole' | 'routes' | 'passes';

/** Where a target is started. */
export interface Site {
  /** A folder of its own, which stays from one start to the next. */
  readonly folder: string;
  readonly upstreamPort: number;
  readonly certificates: Certificates;
  /** Further arguments of the program itself. */
  readonly args: readonly string[];
}

/** A certificate for both hosts, under an authority that only the bench trusts. */
export interface Certificates {
  readonly caPem: string;
  readonly certPem: string;
  readonly keyPem: string;
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  /** Certificate and key. */
  readonly bothFile: string;
}

/** How to start it, and how it is reached once it answers. */
export interface Plan {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Where it will listen: the first says when it is up. */
  readonly ports: readonly [number, ...number[]];
  /** Asked when it is up: a certificate may be made at the start. */
  readonly access: () => Partial<Record<Way, Access>>;
  /** Where it notes what was used, a line an exchange; null where it does not. */
  readonly usageFile: string | null;
}

export interface Target {
  readonly name: string;
  readonly about: string;
  readonly duty: Duty;
  /** Why it can not be measured here and how to get it; null where it can. */
  readonly missing: () => string | null;
  /** Writes what it needs into the site's folder. */
  readonly plan: (site: Site) => Promise<Plan>;
}
