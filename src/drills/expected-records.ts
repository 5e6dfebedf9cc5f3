/**
 * What the ledger must hold of the exchanges of a drill, told from what their clients had alone, and
 * whether it does. Each exchange and each record falls into a class, such as `stream 200 complete -
 * intact`; a class must hold as many of one as of the other, and the same ones, by request id and
 * bytes. Of each class a count and a sum is kept, whatever the number of exchanges.
 */
import { crc32 } from 'node:zlib';
import type { DrillRecord, DrillRequest, Heard } from './types.ts';

/** Exchanges or records, by their class. */
export type RecordClasses = ReadonlyMap<string, ClassCount>;

interface ClassCount {
  readonly count: number;
  /** Of the checksums of all, within the integers that are exact. */
  readonly sum: number;
}

/** How the ledger differs from what it should hold. */
export interface LedgerDifference {
  /** Exchanges without a record that fits, by class. */
  readonly missing: ReadonlyMap<string, number>;
  /** Records of no exchange, by class. */
  readonly surplus: ReadonlyMap<string, number>;
  /** Classes whose numbers agree, but not their bytes or request ids. */
  readonly unequal: readonly string[];
}

/** What of a record is told beforehand. */
type Foreseen = Pick<
  DrillRecord,
  'model' | 'op' | 'status' | 'sse' | 'err_type' | 'intact' | 'bytes_down' | 'request_id'
>;

const SUM_LIMIT = 2 ** 52;
/** Types of errors within a stream that have a class other than `5xx`. */
const ERROR_TYPES: Readonly<Record<string, string>> = {
  rate_limit_error: '429',
  authentication_error: '401',
  invalid_request_error: '4xx',
  permission_error: '4xx',
  not_found_error: '4xx',
  request_too_large: '4xx',
};

/** Counts by class. */
export function createClasses(): { readonly classes: RecordClasses; add(one: Foreseen): void } {
  const classes = new Map<string, ClassCount>();
  return {
    classes,
    add: (one) => {
      const name = classOf(one);
      const { count, sum } = classes.get(name) ?? { count: 0, sum: 0 };
      const check = crc32(`${one.request_id ?? ''} ${one.bytes_down}`);
      classes.set(name, { count: count + 1, sum: (sum + check) % SUM_LIMIT });
    },
  };
}

function classOf({ model, op, status, sse, err_type, intact }: Foreseen): string {
  const end = intact ? 'intact' : 'not intact';
  return `${model ?? '-'} ${op} ${status ?? '-'} ${sse ?? '-'} ${err_type ?? '-'} ${end}`;
}

/**
 * The record that an exchange must have; null where that can not be told: its client left, or the
 * connection went away without an answer.
 */
export function expectedRecord(request: DrillRequest, heard: Heard): Foreseen | null {
  // An agent's exchange is no request, and it shows no bytes.
  if (heard.sha256 === null) return null;
  const common = {
    model: request.model,
    op: request.stream ? 'stream' : 'nonstream',
    status: heard.status,
    bytes_down: heard.bytes,
    request_id: heard.requestId,
  } as const;
  if (heard.ended) {
    const { own, stream } = heard;
    if (own !== null) {
      return { ...common, sse: null, err_type: errorOfOwn(own, heard.status), intact: false };
    }
    const err_type = errorOfStatus(heard.status) ?? errorOfStream(stream?.error ?? null);
    return { ...common, sse: wordOf(heard), err_type, intact: true };
  }
  if (heard.failure !== 'cut' || heard.status === 0) return null;
  const sse = heard.stream === null ? null : heard.stream.error === null ? 'cut' : wordOf(heard);
  return { ...common, sse, err_type: 'net', intact: false };
}

function wordOf({ stream }: Heard): string | null {
  if (stream === null) return null;
  if (stream.error !== null) return 'upstream_error';
  return stream.stopped ? 'complete' : 'cut';
}

function errorOfOwn(code: string, status: number): string | null {
  if (!code.startsWith('upstream_')) return errorOfStatus(status);
  return code.endsWith('_timeout') ? 'timeout' : 'net';
}

function errorOfStatus(status: number): string | null {
  if (status < 400) return null;
  if (status === 401 || status === 429) return String(status);
  return status < 500 ? '4xx' : '5xx';
}

function errorOfStream(type: string | null): string | null {
  return type === null ? null : (ERROR_TYPES[type] ?? '5xx');
}

/** Compares class by class. */
export function compareClasses(expected: RecordClasses, found: RecordClasses): LedgerDifference {
  const missing = new Map<string, number>();
  const surplus = new Map<string, number>();
  const unequal: string[] = [];
  for (const name of new Set([...expected.keys(), ...found.keys()])) {
    const due = expected.get(name);
    const there = found.get(name);
    const difference = (there?.count ?? 0) - (due?.count ?? 0);
    if (difference < 0) missing.set(name, -difference);
    else if (difference > 0) surplus.set(name, difference);
    else if (due?.sum !== there?.sum) unequal.push(name);
  }
  return { missing, surplus, unequal };
}
