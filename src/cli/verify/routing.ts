/**
 * `verify routing`: the routing gate over the ledger; with `--live` also what the running proxy would
 * decide, by its switches and the configuration as it is read here, without asking any upstream.
 */
import { readStatus } from '../../admin/client.ts';
import type { StatusReport } from '../../admin/types.ts';
import { loadConfig } from '../../config/load.ts';
import { decide, type RouteFacts, type RoutingTable } from '../../core/route.ts';
import { judgeGates } from '../../session/gates/judge.ts';
import { gatesText } from '../../session/gates/text.ts';
import { print, printJson, table } from '../output.ts';
import { namedByLanes } from '../session/secrets.ts';
import { type CommonOptions, homeOf, type JsonOption } from '../settings.ts';

export interface VerifyRoutingOptions extends CommonOptions, JsonOption {
  readonly live?: boolean;
}

/** A request, what would become of it, and whether that is right. */
interface Foreseen {
  readonly request: string;
  readonly lane: string;
  readonly decision: string;
  readonly right: boolean;
}

/** In place of a key that the proxy has and this shell has not: only whether there is one matters. */
const STAND_IN = 'stand-in-for-a-key';
const HAIKU = 'claude-haiku-5-5';

const ASKED: readonly (readonly [request: string, lane: string, facts: RouteFacts])[] = [
  ['Haiku, of the main loop', 'zai', facts(HAIKU, 'main')],
  ['Haiku, of a subagent', 'zai', facts(HAIKU, 'subagent')],
  ['Haiku, of another client', 'zai', facts(HAIKU, null)],
  ['Haiku by its dated name', 'zai', facts('claude-haiku-4-5-20251001', null)],
  ['Haiku, count_tokens', 'zai', facts(HAIKU, null, '/v1/messages/count_tokens')],
  ['Sonnet', 'anthropic', facts('claude-sonnet-5-5', 'main')],
  ['Sonnet, of a subagent', 'anthropic', facts('claude-sonnet-5-5', 'subagent')],
  ['Opus', 'anthropic', facts('claude-opus-5-5', 'main')],
  ['no model', 'anthropic', facts(null, 'main')],
  ['a path that is not routed', 'anthropic', facts(null, null, '/v1/models', 'GET')],
];

/** True where all is right. */
export async function verifyRouting(options: VerifyRoutingOptions): Promise<boolean> {
  const unsearched = { secrets: [], teeNow: null };
  const [gate] = await judgeGates(homeOf(options), unsearched, ['routing']);
  const live = options.live === true ? await foresee(options) : null;
  const ok = gate?.met === true && (live ?? []).every(({ right }) => right);
  if (options.json === true) printJson({ ok, gate, ...(live === null ? {} : { live }) });
  else print(describe(gate === undefined ? [] : [gate], live));
  return ok;
}

async function foresee(options: CommonOptions): Promise<Foreseen[]> {
  const status = await readStatus(homeOf(options));
  const routing = await tableOf(options, status);
  return ASKED.map(([request, lane, asked]) => {
    const decided = decide(asked, routing);
    return { request, ...decided, right: decided.lane === lane };
  });
}

async function tableOf(options: CommonOptions, status: StatusReport): Promise<RoutingTable> {
  const configFile = options.config ?? status.config_file ?? undefined;
  const named = await namedByLanes({
    ...options,
    ...(configFile === undefined ? {} : { config: configFile }),
  });
  const zai = status.lanes.some(({ name }) => name === 'zai') ? ['ZAI_API_KEY'] : [];
  const keys = Object.fromEntries([...named, ...zai].map((name) => [name, STAND_IN]));
  const config = await loadConfig({
    cwd: process.cwd(),
    env: { ...keys, ...process.env },
    home: options.home,
    configFile,
  });
  const { routes, defaultLane, forceLane } = config;
  return {
    routes,
    defaultLane,
    forcedLane: status.force ? forceLane : null,
    paused: status.paused,
  };
}

function describe(
  gates: Parameters<typeof gatesText>[0],
  live: readonly Foreseen[] | null,
): string {
  const text = gatesText(gates);
  if (live === null) return text;
  const rows = live.map(({ request, lane, decision, right }) => [
    request,
    lane,
    decision,
    right ? 'right' : 'WRONG',
  ]);
  return `${text}\n\nthe running proxy would decide:\n${table(rows)}`;
}

function facts(
  model: string | null,
  agent: RouteFacts['agent'],
  path = '/v1/messages',
  method = 'POST',
): RouteFacts {
  return { method, path, model, agent };
}
