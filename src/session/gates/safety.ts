/**
 * The safety gate: no credential at an upstream that it is none of, none in a file that was written, and
 * no samples of bodies.
 *
 * That a request left without another lane's credential is asserted by the proxy on each of them; that
 * none arrived is seen where the twin is in reach, in drills and by `verify isolation`. At least one
 * of these must have looked.
 */
import { join } from 'node:path';
import { readUsage } from '../../ledger/read.ts';
import type { Row } from '../../reports/database.ts';
import { plural } from '../../reports/words.ts';
import { writtenFiles } from '../places.ts';
import type { Phase } from '../record.ts';
import { createFinder, type KnownSecret } from '../secrets/finder.ts';
import { type SearchResult, searchFiles } from '../secrets/search.ts';
import { countIn, type Gate, type GateCase, gateOf } from './types.ts';

const QUERY = 'gate-safety';
const SAMPLES_FILE = 'body-samples.jsonl';

/** What only the caller can know. */
export interface SafetyFacts {
  /** Credentials in force at the time. */
  readonly secrets: readonly KnownSecret[];
  /** The tee of the proxy that runs for the home; null where none runs. */
  readonly teeNow: boolean | null;
}

/** Judges it. */
export async function judgeSafety(given: GateCase, facts: SafetyFacts): Promise<Gate> {
  const phases = given.session?.phases ?? [];
  const search = await searchFiles(createFinder(facts.secrets), await writtenFiles(given.home));
  const samples = await samplesSince(given);
  const looked = lookedInto(phases);
  const row = await ask(given);
  const teePhases = phases.filter(({ switches }) => switches?.tee === true);
  const reasons = [
    ...searchReasons(search),
    ...isolationReasons(phases, looked),
    ...(samples > 0
      ? [`the tee was on: ${plural(samples, 'body sample')} in logs/${SAMPLES_FILE}`]
      : []),
    ...teePhases.map(({ name }) => `the tee was on when ${name} began`),
    ...(facts.teeNow === true ? ['the tee is on: turn it off (tee off)'] : []),
  ];
  return gateOf('safety', {
    reasons,
    files_searched: search.files,
    bytes_searched: search.bytes,
    secrets_searched_for: facts.secrets.map(({ name }) => name),
    findings: search.findings,
    findings_in_all: search.found,
    requests_searched_at_upstreams: looked.searched,
    leaks_at_upstreams: looked.leaks,
    exchanges_checked_before_they_left: {
      anthropic: countIn(row, 'anthropic'),
      zai: countIn(row, 'zai'),
    },
    refused_before_they_left: countIn(row, 'refused'),
    body_samples: samples,
    tee_of_the_running_proxy: facts.teeNow,
    queries: [QUERY],
  });
}

function searchReasons({ findings, found, unread, files }: SearchResult): string[] {
  const reasons = findings.map(({ file, line, what }) => `${file}:${line} holds ${what}`);
  if (found > findings.length) reasons.push(`${found - findings.length} more findings in files`);
  for (const { file, reason } of unread) reasons.push(`${file} can not be searched: ${reason}`);
  if (files === 0) reasons.push('the program has written no file here');
  return reasons;
}

function isolationReasons(
  phases: readonly Phase[],
  looked: ReturnType<typeof lookedInto>,
): string[] {
  const reasons: string[] = [];
  if (looked.leaks > 0) {
    reasons.push(
      `${plural(looked.leaks, 'request')} held another lane’s credential at an upstream`,
    );
  }
  for (const { name, verdict } of phases) {
    if (name === 'isolation' && verdict === 'not_met') reasons.push('verify isolation was not met');
  }
  const { anthropic, zai } = looked.searched;
  if (anthropic === 0 || zai === 0) {
    reasons.push(
      'nobody looked at what the upstreams received: run verify isolation, or a drill with a twin of its own',
    );
  }
  return reasons;
}

function lookedInto(phases: readonly Phase[]) {
  const all = phases.flatMap(({ isolation }) => (isolation === null ? [] : [isolation]));
  const sum = (of: (one: (typeof all)[number]) => number): number =>
    all.reduce((total, one) => total + of(one), 0);
  return {
    searched: {
      anthropic: sum((one) => one.searched.anthropic),
      zai: sum((one) => one.searched.zai),
    },
    leaks: sum((one) => one.leaks),
  };
}

/** Body samples that were taken in the session; all there are, where nothing says when it began. */
async function samplesSince({ home, window }: GateCase): Promise<number> {
  let samples = 0;
  // Samples are lines with a time, as records are.
  for await (const { ts } of readUsage(join(home, 'logs', SAMPLES_FILE))) {
    if (ts >= (window.since ?? 0)) samples += 1;
  }
  return samples;
}

async function ask({ ledger, window }: GateCase): Promise<Row> {
  if (ledger === null) return {};
  await ledger.database.set('until', window.until);
  return (await ledger.database.run(QUERY))[0] ?? {};
}
