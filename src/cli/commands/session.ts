/**
 * `session`: the long session from preflight to bundle. Each phase is kept when it ends, so that a
 * session which was interrupted goes on with the phase that was under way.
 */
import { isRunning, readStatus } from '../../admin/client.ts';
import { findingsOfAb } from '../../drills/ab-report.ts';
import { planOf } from '../../drills/plan.ts';
import { createRawClient } from '../../drills/raw-client.ts';
import type { DrillOutcome } from '../../drills/run.ts';
import { BundleRefused, writeBundle } from '../../session/bundle.ts';
import { updateCriteria } from '../../session/gates/criteria.ts';
import { judgeGates } from '../../session/gates/judge.ts';
import { gatesText } from '../../session/gates/text.ts';
import type { Gate } from '../../session/gates/types.ts';
import {
  CHAOS_STREAMS,
  drillOfPhase,
  nextPhase,
  phasesOf,
  type SessionPhase,
  type SessionSize,
} from '../../session/plan.ts';
import { differenceOf, isUneven } from '../../session/reactions.ts';
import { type Phase, unmarkedPhase } from '../../session/record.ts';
import { appendPhase, beginSession, readSession } from '../../session/record-file.ts';
import { compareSides } from '../drill/ab.ts';
import { chaosPhase } from '../drill/chaos.ts';
import { stopOnSignal, teller } from '../drill/progress.ts';
import { CliError, EXIT } from '../failure.ts';
import { print, printJson, say, table } from '../output.ts';
import { findOnPath } from '../programs.ts';
import { safetyFacts } from '../session/facts.ts';
import { commandTyped } from '../session/phase.ts';
import { knownSecrets } from '../session/secrets.ts';
import { openStage, type Stage, type StageOptions } from '../session/stage.ts';
import { homeOf, type JsonOption } from '../settings.ts';
import { writeVersions } from '../versions.ts';
import { findingsOf } from './doctor.ts';
import { CRITERIA } from './gates.ts';
import { leaveHandoff } from './handoff.ts';

/** Exchanges of a comparison in a quick session. */
const AB_COUNT_QUICK = 40;

interface SessionOptions extends Omit<StageOptions, 'client'>, JsonOption {
  readonly client?: StageOptions['client'];
  readonly quick?: boolean;
  /** Of the soak. */
  readonly minutes?: number;
  readonly ab?: boolean;
  readonly resume?: boolean;
}

/** What the phases share. */
interface Scene {
  readonly home: string;
  readonly options: StageOptions & JsonOption;
  readonly size: SessionSize;
  readonly stop: AbortSignal;
  stage: Stage | null;
}

/** Exit code 1 where a phase or a gate is not met, 130 where it was interrupted. */
export async function session(options: SessionOptions): Promise<number> {
  const size: SessionSize = {
    quick: options.quick === true,
    soakMinutes: options.minutes ?? null,
    ab: options.ab === true,
  };
  const home = homeOf(options);
  const client = options.client ?? clientHere(size);
  const scene: Scene = {
    home,
    // A quick one drives nothing that somebody uses.
    options: { ...options, home, client, ...(size.quick ? { twin: true } : {}) },
    size,
    stop: stopOnSignal(),
    stage: null,
  };
  const done = await begin(scene, options.resume === true);
  try {
    await runPhases(scene, done);
  } finally {
    await scene.stage?.close();
  }
  if (scene.stop.aborted) return interrupted(scene);
  return conclude(scene);
}

/** The agent itself where it is installed; a quick session has no time for it. */
function clientHere({ quick }: SessionSize): StageOptions['client'] {
  return !quick && findOnPath('claude') !== null ? 'claude' : 'raw';
}

/** Names of the phases that need not be run again. */
async function begin({ home }: Scene, resume: boolean): Promise<Set<string>> {
  const former = await readSession(home);
  if (!resume) {
    await beginSession(home, Date.now(), 'session');
    return new Set();
  }
  if (former === null || former.by !== 'session') {
    throw new CliError(`there is no session in ${home} to go on with; leave --resume out`);
  }
  return new Set(former.phases.filter(({ verdict }) => verdict === 'met').map(({ name }) => name));
}

async function runPhases(scene: Scene, done: ReadonlySet<string>): Promise<void> {
  for (const name of phasesOf(scene.size)) {
    if (scene.stop.aborted) return;
    if (done.has(name)) {
      say(`${name}: done before`);
      continue;
    }
    say(`${name}: begins`);
    await PHASES[name](scene);
    const last = (await readSession(scene.home))?.phases.findLast((phase) => phase.name === name);
    if (last !== undefined) say(phaseLine(last));
    if (name === 'preflight' && last?.verdict !== 'met') {
      throw new CliError('the preflight found what must be mended first; nothing was driven');
    }
  }
}

const PHASES: Readonly<Record<SessionPhase, (scene: Scene) => Promise<void>>> = {
  preflight,
  warmup,
  soak: async (scene) => {
    const stage = await onStage(scene);
    await stage.drill(drillOfPhase('soak', scene.size));
  },
  parallel,
  burst,
  chaos,
  ab,
};

/** Its proxy is started when the first drill needs it, also after an interruption. */
async function onStage(scene: Scene): Promise<Stage> {
  scene.stage ??= await openStage(scene.options, scene.stop, teller());
  return scene.stage;
}

async function preflight(scene: Scene): Promise<void> {
  const { home, options } = scene;
  const start = new Date();
  const findings = await findingsOf(options);
  await writeVersions(home, options.claude);
  const stage = await onStage(scene);
  say(`drives ${stage.name}, with ${options.client}`);
  const checks = findings.map(({ check, level, message, mend }) => ({
    name: check,
    met: level !== 'error',
    detail: mend === null ? message : `${message}; mend: ${mend}`,
  }));
  const isMet = checks.every(({ met }) => met);
  for (const { name, met, detail } of checks) if (!met) say(`${name}: ${detail}`);
  await appendPhase(home, {
    ...unmarkedPhase('preflight', start, isMet),
    command: commandTyped(),
    lanes: stage.simulated ? 'twin' : 'real',
    client: options.client,
    checks,
  });
}

/** A key that is taken in the other header only is said: the proxy has found out, and keeps to it. */
async function warmup(scene: Scene): Promise<void> {
  const stage = await onStage(scene);
  const before = await headerModes(scene);
  let changes: readonly string[] = [];
  await stage.drill(planOf('warmup'), async (phase) => {
    const after = await headerModes(scene);
    changes = [...after].flatMap(([lane, mode]) => {
      const was = before.get(lane);
      return was === mode
        ? []
        : [`${lane} takes its key in ${mode}, not in ${was}; the proxy keeps to that`];
    });
    const checks = changes.map((detail) => ({ name: 'header mode', met: null, detail }));
    return { ...phase, checks: [...phase.checks, ...checks] };
  });
  for (const change of changes) say(change);
}

/** Of the keyed lanes, where the proxy can be asked. */
async function headerModes({ home }: Scene): Promise<Map<string, string>> {
  if (!(await isRunning(home))) return new Map();
  const { lanes } = await readStatus(home);
  return new Map(
    lanes.flatMap(({ name, header_mode: mode }) => (mode === null ? [] : [[name, mode] as const])),
  );
}

/** Where the upstream has no room, once more with waits. */
async function parallel(scene: Scene): Promise<void> {
  const stage = await onStage(scene);
  const plan = drillOfPhase('parallel', scene.size);
  const busy = (await stage.drill(plan)).ledger?.busy ?? 0;
  if (busy === 0 || scene.stop.aborted) return;
  const answers = `${busy} answers were 429, 503 or 529`;
  if (!stage.isOwn) {
    say(`${answers}: start the proxy with MITM_ENABLE_BACKOFF=1, and go on with --resume`);
    return;
  }
  say(`${answers}: backoff is turned on, and the phase repeated`);
  await stage.restart({ MITM_ENABLE_BACKOFF: '1' });
  await stage.drill(plan);
}

/** Where answers come unevenly, once more over HTTP/1.1 alone. */
async function burst(scene: Scene): Promise<void> {
  const stage = await onStage(scene);
  const plan = drillOfPhase('burst', scene.size);
  const first: DrillOutcome = await stage.drill(plan);
  if (!isUneven(first) || scene.stop.aborted) return;
  if (!stage.isOwn) {
    say('answers came unevenly: start the proxy with MITM_FORCE_H1=1 to see whether it is HTTP/2');
    return;
  }
  say('answers came unevenly: once more over HTTP/1.1 alone');
  await stage.restart({ MITM_FORCE_H1: '1' });
  await stage.drill(plan, (phase, second) => ({
    ...phase,
    name: 'burst-h1',
    checks: [...phase.checks, differenceOf(first, second)],
  }));
}

/** It ends and kills its proxy, so it is never one that somebody uses. */
async function chaos(scene: Scene): Promise<void> {
  const { home, options, size, stop } = scene;
  const stage = await onStage(scene);
  if (!stage.isOwn) {
    say('chaos ends and kills its proxy: it is left out while one runs for the home');
    return;
  }
  await stage.close();
  scene.stage = null;
  const concurrency = size.quick ? CHAOS_STREAMS.quick : CHAOS_STREAMS.full;
  await chaosPhase({ ...options, home, concurrency }, stop);
}

/** Two proxies of its own beside each other, in homes below this one; a difference is no failure. */
async function ab({ home, options, size, stop }: Scene): Promise<void> {
  const start = new Date();
  const { config } = options;
  const all = await compareSides(
    {
      home,
      ...(config === undefined ? {} : { config }),
      ...(size.quick ? { count: AB_COUNT_QUICK } : {}),
    },
    { name: 'raw', clients: createRawClient, stop, tell: teller() },
  );
  if (stop.aborted) return;
  const isMet = all.every(({ outcome }) => outcome.ok);
  const phase = {
    ...unmarkedPhase('ab', start, isMet),
    command: commandTyped(),
    checks: all.flatMap(findingsOfAb),
  };
  await appendPhase(home, phase);
  for (const { name, met, detail } of phase.checks) if (met === null) say(`${name}: ${detail}`);
}

async function interrupted({ home, size }: Scene): Promise<number> {
  const phases = (await readSession(home))?.phases ?? [];
  const met = phases.filter(({ verdict }) => verdict === 'met').map(({ name }) => name);
  const next = nextPhase(phasesOf(size), new Set(met)) ?? 'what it leaves';
  say(`interrupted: lanekeeper session --resume goes on with ${next}`);
  return EXIT.interrupted;
}

/** What the session leaves, and whether it is good. */
async function conclude({ home, options, size }: Scene): Promise<number> {
  await leaveHandoff(options);
  const judged = await judgeGates(home, await safetyFacts(options));
  await updateCriteria(home, CRITERIA, judged, Date.now());
  const bundle = await archiveOf(home, await knownSecrets(options));
  const phases = (await readSession(home))?.phases ?? [];
  const failed = phases.filter(({ verdict }) => verdict === 'not_met');
  const unmet = judged.filter((gate) => !gate.met && !(size.quick && isOnlyShort(gate)));
  const ok = failed.length === 0 && unmet.length === 0 && bundle !== null;
  if (options.json === true) printJson({ ok, quick: size.quick, phases, gates: judged, bundle });
  else {
    print(table([['phase', 'verdict', 'took', 'exchanges', 'whole'], ...phases.map(phaseRow)]));
    print(`\n${gatesText(judged)}`);
    if (size.quick)
      print('a quick session: its soak is too short for the stability gate by design');
    print(`evidence: ${home}, ${bundle === null ? 'not archived' : `archived in ${bundle}`}`);
  }
  return ok ? EXIT.done : EXIT.failed;
}

/** Its path; null, and said why, where a secret stands in a file. */
async function archiveOf(
  home: string,
  secrets: Parameters<typeof writeBundle>[1],
): Promise<string | null> {
  try {
    return (await writeBundle(home, secrets, Date.now())).path;
  } catch (error) {
    if (!(error instanceof BundleRefused)) throw error;
    say(error.message);
    return null;
  }
}

/** The soak is too short, and nothing else is amiss. */
function isOnlyShort({ name, evidence }: Gate): boolean {
  const { reasons, soak_minutes: minutes, soak_minutes_needed: needed } = evidence;
  const isShort = typeof minutes === 'number' && typeof needed === 'number' && minutes < needed;
  return name === 'stability' && isShort && Array.isArray(reasons) && reasons.length === 1;
}

function phaseRow({ name, verdict, start, end, figures }: Phase): string[] {
  const seconds = (Date.parse(end) - Date.parse(start)) / 1_000;
  const whole = figures.whole === null ? '-' : String(figures.whole);
  return [name, verdict, `${seconds.toFixed(0)} s`, String(figures.exchanges), whole];
}

function phaseLine({ name, verdict, figures, checks }: Phase): string {
  const failed = checks.filter(({ met }) => met === false);
  const why = failed.map((check) => `; ${check.name}: ${check.detail}`).join('');
  const load = figures.exchanges > 0 ? `, ${figures.exchanges} exchanges` : '';
  return `${name}: ${verdict.replace('_', ' ')}${load}${why}`;
}
