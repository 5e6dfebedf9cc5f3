/**
 * What the drill `ab` compares: two sides, which differ in one switch of the proxy, under the same load
 * in blocks that alternate. Each block of a case asks the same questions.
 */
import { PAIRS_NEEDED, type Quantity } from './ab-compare.ts';
import { type Plan, planOf } from './plan.ts';

export const AB_SUBJECTS = ['http2', 'header-mode'] as const;
export type AbSubject = (typeof AB_SUBJECTS)[number];

/** One side: how its proxy is set. */
export interface AbSetting {
  /** For people. */
  readonly label: string;
  readonly env: Readonly<Record<string, string>>;
}

/** What shows in the ledger that a side is what it is called. */
export type AbMark = 'h2' | 'header_mode' | 'none';

/** One comparison. */
export interface AbCase {
  readonly name: string;
  readonly a: AbSetting;
  readonly b: AbSetting;
  /** The load of one block. */
  readonly block: Plan;
  /** Pairs of blocks that are measured; null for no bound. */
  readonly pairs: number | null;
  readonly ms: number | null;
  /** The emulated round trip between proxy and twin; 0 for none. */
  readonly rttMs: number;
  readonly mark: AbMark;
  readonly quantities: readonly Quantity[];
}

/** What a caller may change. It holds for every case. */
export interface AbOptions {
  /** For each subject. */
  readonly minutes?: number | undefined;
  /** Exchanges of each side, rounded up to two whole blocks or more. */
  readonly count?: number | undefined;
  readonly concurrency?: number | undefined;
  readonly rttMs?: number | undefined;
}

const MS_PER_MINUTE = 60_000;
/** Of every kind of answer, the long one included, some. */
const MIXTURE_EXCHANGES = 200;
const MIXTURE_PAIRS = 30;
const MIXTURE_CLIENTS = 4;
/** As others met it: 26 agents at once, each with a long conversation. */
const UPLOADS = 26;
const UPLOAD_PAIRS = 12;
const UPLOAD_BYTES = 1_000_000;
/** To the near edge of a large network, from a home. */
const UPLOAD_RTT_MS = 30;

const LATENCY: Quantity = { name: 'latency', unit: 'ms', isTime: true };
const TTFB: Quantity = { name: 'ttfb', unit: 'ms', isTime: true };
const THROUGHPUT: Quantity = { name: 'throughput', unit: 'MB/s', isTime: false };

const HTTP2_SIDES = {
  a: { label: 'MITM_FORCE_H1=1', env: { MITM_FORCE_H1: '1', MITM_HTTP2: '0' } },
  b: { label: 'MITM_HTTP2=1', env: { MITM_FORCE_H1: '0', MITM_HTTP2: '1' } },
};
const HEADER_SIDES = {
  a: { label: 'ZAI_HEADER_MODE=x-api-key', env: { ZAI_HEADER_MODE: 'x-api-key' } },
  b: { label: 'ZAI_HEADER_MODE=authorization', env: { ZAI_HEADER_MODE: 'authorization' } },
};

/**
 * The cases of a subject, or of all.
 *
 * @param subject null for all
 */
export function abCasesOf(subject: AbSubject | null, options: AbOptions = {}): AbCase[] {
  const http2 = [mixture(options), uploads(options)];
  const cases: Readonly<Record<AbSubject, readonly AbCase[]>> = {
    http2,
    'header-mode': [headerMode(options)],
  };
  const chosen = subject === null ? AB_SUBJECTS : [subject];
  return chosen.flatMap((name) => {
    const of = cases[name];
    // The cases of a subject share its time.
    return of.map((one) => ({ ...one, ...boundsOf(one, options, of.length) }));
  });
}

function boundsOf({ block, pairs }: AbCase, { minutes, count }: AbOptions, shares: number) {
  if (minutes === undefined && count === undefined) return { pairs, ms: null };
  return {
    pairs:
      count === undefined
        ? null
        : Math.max(PAIRS_NEEDED, Math.ceil(count / (block.count ?? count))),
    ms: minutes === undefined ? null : (minutes * MS_PER_MINUTE) / shares,
  };
}

/** A small count still makes two blocks. */
function mixtureSize(count: number | undefined): number {
  return Math.min(MIXTURE_EXCHANGES, Math.ceil((count ?? Number.POSITIVE_INFINITY) / PAIRS_NEEDED));
}

function mixture({ count, concurrency, rttMs }: AbOptions): AbCase {
  return {
    name: 'http2 mixture',
    ...HTTP2_SIDES,
    block: planOf('burst', {
      count: mixtureSize(count),
      concurrency: concurrency ?? MIXTURE_CLIENTS,
    }),
    pairs: MIXTURE_PAIRS,
    ms: null,
    rttMs: rttMs ?? 0,
    mark: 'h2',
    quantities: [LATENCY, TTFB],
  };
}

function uploads({ concurrency, rttMs }: AbOptions): AbCase {
  const clients = concurrency ?? UPLOADS;
  return {
    name: 'http2 uploads',
    ...HTTP2_SIDES,
    block: {
      ...planOf('burst', { count: clients, concurrency: clients }),
      laneOf: () => 'anthropic',
      shapeOf: () => 'short',
      promptBytes: UPLOAD_BYTES,
    },
    pairs: UPLOAD_PAIRS,
    ms: null,
    rttMs: rttMs ?? UPLOAD_RTT_MS,
    // A transport may send a body that a window would hold up the other way.
    mark: 'none',
    quantities: [LATENCY, TTFB, THROUGHPUT],
  };
}

function headerMode({ count, concurrency, rttMs }: AbOptions): AbCase {
  return {
    name: 'header-mode',
    ...HEADER_SIDES,
    block: planOf('parallel', {
      count: mixtureSize(count),
      concurrency: concurrency ?? MIXTURE_CLIENTS,
    }),
    pairs: MIXTURE_PAIRS,
    ms: null,
    rttMs: rttMs ?? 0,
    mark: 'header_mode',
    quantities: [LATENCY, TTFB],
  };
}
