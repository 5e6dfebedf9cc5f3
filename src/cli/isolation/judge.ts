/** Judges where the canaries of `verify isolation` arrived: at upstreams, in files, in what was told. */
import { createFinder, type Finder } from '../../session/secrets/finder.ts';
import type { SearchResult } from '../../session/secrets/search.ts';
import type { ReceivedRequest } from '../../twin/index.ts';
import { CANARY_NAMES, type Canaries, type CanaryName, CLIENT_ONLY } from './canaries.ts';

/** The parts of a request that an upstream is judged by. */
export type Received = Pick<ReceivedRequest, 'method' | 'path' | 'rawHeaders' | 'body'>;

/** All that came out. */
export interface Outcomes {
  readonly received: Readonly<Record<'anthropic' | 'zai', readonly Received[]>>;
  /** Every file that was written, searched for all canaries. */
  readonly files: Pick<SearchResult, 'files' | 'findings' | 'unread'>;
  /** Logs, status, metrics. */
  readonly told: readonly string[];
}

export interface Isolation {
  /** What was searched, and how much of it. */
  readonly searched: Readonly<Record<'anthropic' | 'zai' | 'files' | 'answers', number>>;
  /** Requests that held what is not theirs. */
  readonly leaks: number;
  /** What is wrong, in words; a canary is named, never shown. */
  readonly findings: readonly string[];
}

const CREDENTIAL_FIELDS: ReadonlySet<string> = new Set(['x-api-key', 'authorization']);

/** Looks for each canary where it must not be, and where it must be. */
export function judgeIsolation({ received, files, told }: Outcomes, canaries: Canaries): Isolation {
  const { anthropic, zai } = received;
  const foreign = [
    ...foreignIn(zai, 'zai', [...CLIENT_ONLY, 'proxyToken'], canaries),
    ...foreignIn(anthropic, 'anthropic', ['zaiKey', 'proxyToken'], canaries),
  ];
  const all = finderOf(canaries);
  const findings = [
    ...foreign,
    ...keyFindings(zai, canaries),
    // A search that finds nothing shows nothing, unless it finds what must be there.
    ...absentFrom(zai, 'zai', ['haikuPrompt', 'zaiKey'], canaries),
    ...absentFrom(anthropic, 'anthropic', CLIENT_ONLY, canaries),
    ...files.findings.map(({ file, line, what }) => `${file}:${line} holds ${what}`),
    ...files.unread.map(({ file, reason }) => `${file} can not be searched: ${reason}`),
    ...told.flatMap((text) =>
      all.in(latin1(text)).map((name) => `${name} in what the proxy tells`),
    ),
  ];
  const searched = {
    anthropic: anthropic.length,
    zai: zai.length,
    files: files.files,
    answers: told.length,
  };
  return { searched, leaks: foreign.length, findings };
}

/** Finds canaries by name. */
export function finderOf(canaries: Canaries, names: readonly CanaryName[] = CANARY_NAMES): Finder {
  return createFinder(names.map((name) => ({ name, value: canaries[name] })));
}

function foreignIn(
  requests: readonly Received[],
  lane: string,
  names: readonly CanaryName[],
  canaries: Canaries,
): string[] {
  const finder = finderOf(canaries, names);
  const known: readonly string[] = names;
  return requests.flatMap((request) => {
    // Shapes of keys are no finding here: each upstream receives credentials of its own.
    const found = finder.in(textOf(request)).filter((name) => known.includes(name));
    const where = `${request.method} ${request.path.replace(/\?.*/, '')}`;
    return found.length === 0 ? [] : [`${found.join(', ')} in a request at ${lane} (${where})`];
  });
}

function absentFrom(
  requests: readonly Received[],
  lane: string,
  names: readonly CanaryName[],
  canaries: Canaries,
): string[] {
  const found = finderOf(canaries, names).in(requests.map(textOf).join('\n'));
  return names.flatMap((name) =>
    found.includes(name) ? [] : [`${name} did not arrive at ${lane}, where it belongs`],
  );
}

/** The key in exactly one field, and nowhere else. */
function keyFindings(requests: readonly Received[], { zaiKey }: Canaries): string[] {
  const right = new Set([zaiKey, `Bearer ${zaiKey}`]);
  const wrong = requests.filter(({ path, rawHeaders, body }) => {
    const own = rawHeaders.filter(([name]) => CREDENTIAL_FIELDS.has(name.toLowerCase()));
    const rest = rawHeaders.filter((field) => !own.includes(field)).flat();
    const elsewhere = [path, ...rest, body.toString('latin1')].some((text) =>
      text.includes(zaiKey),
    );
    return own.length !== 1 || !right.has(own[0]?.[1] ?? '') || elsewhere;
  });
  if (wrong.length === 0) return [];
  return [`${wrong.length} requests at zai without the key in its one field, and there alone`];
}

/** A request as its upstream got it, as one text of bytes. */
function textOf({ method, path, rawHeaders, body }: Received): string {
  const fields = rawHeaders.map(([name, value]) => `${name}: ${value}`);
  return [...[`${method} ${path}`, ...fields].map(latin1), body.toString('latin1')].join('\n');
}

function latin1(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
