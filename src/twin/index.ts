/**
 * The twin: simulated Anthropic and Z.AI upstreams on loopback, for drills, demos and tests.
 *
 * Faithful in protocol (TLS, HTTP/1.1 and HTTP/2, event grammar, error shapes, fields), not in
 * wit: what it says is steered by directives in the prompt (`control.ts`). The same seed and request
 * bytes get the same answer bytes. It trusts nothing and writes nothing: what it received stays in
 * memory. A fault plan (`plan-schema.ts`) makes it go wrong, replayably.
 */
import { TWIN_KEPT_REQUESTS } from '../core/limits.ts';
import { mintServer } from '../pki/authority.ts';
import { anthropicPersona } from './anthropic.ts';
import { startEndpoint } from './endpoint.ts';
import { type FaultEngine, faultEngine } from './faults.ts';
import { checkPlan } from './plan.ts';
import type { FaultPlan } from './plan-schema.ts';
import type { Twin } from './types.ts';
import { type ZaiAccepts, zaiPersona } from './zai.ts';

export type { FaultReport, RuleCounts } from './faults.ts';
export { FaultPlanError, type PlanProblem, parsePlan } from './plan.ts';
export type {
  Fault,
  FaultKind,
  FaultMatch,
  FaultPlan,
  FaultRule,
} from './plan-schema.ts';
export type {
  Field,
  PersonaName,
  ReceivedRequest,
  Twin,
  TwinEndpoint,
} from './types.ts';
export { headerOf } from './types.ts';
export type { ZaiAccepts } from './zai.ts';

/** Server certificate of the twin, as PEM; must be valid for the address it listens on. */
export interface ServerCertificate {
  readonly caCertPem: string;
  readonly certPem: string;
  readonly keyPem: string;
}

export interface TwinOptions {
  /** Default 1. */
  readonly seed?: number;
  readonly host?: '127.0.0.1';
  /** Default 0: any free port. */
  readonly ports?: { readonly anthropic?: number; readonly zai?: number };
  /** The only key that the Z.AI persona accepts. */
  readonly zaiKey?: string;
  /** Default `both`. */
  readonly zaiAccepts?: ZaiAccepts;
  /** False: the Z.AI persona answers count_tokens with 404. Default true. */
  readonly zaiCountTokens?: boolean;
  /** Received requests kept in memory, for each endpoint. Default 2000. */
  readonly keep?: number;
  /** Default: minted under an authority of the twin's own. */
  readonly certificate?: ServerCertificate;
  /** What goes wrong from the start. Default: nothing. */
  readonly faults?: FaultPlan;
}

/** The key that the Z.AI persona accepts where none is given. Not a secret. */
export const TWIN_ZAI_KEY = 'twin-zai-key-0123456789abcdef';

const ZAI_BASE_PATH = '/api/anthropic';

/**
 * Starts both upstreams.
 *
 * @throws FaultPlanError (rejected)
 * @throws Error (rejected) when a port can not be bound
 */
export async function startTwin(options: TwinOptions = {}): Promise<Twin> {
  const {
    seed = 1,
    host = '127.0.0.1',
    keep = TWIN_KEPT_REQUESTS,
    zaiKey = TWIN_ZAI_KEY,
  } = options;
  const certificate =
    options.certificate ??
    (await mintServer({ names: ['localhost'], ips: [host], now: new Date() }));
  const shared = {
    host,
    keep,
    faults: await engineFor(seed, options.faults),
    caPem: certificate.caCertPem,
    certPem: certificate.certPem,
    keyPem: certificate.keyPem,
  };
  const anthropic = await startEndpoint({
    ...shared,
    ...anthropicPersona(seed),
    name: 'anthropic',
    port: options.ports?.anthropic ?? 0,
    basePath: '',
    key: null,
  });
  try {
    const zai = await startEndpoint({
      ...shared,
      ...zaiPersona({
        seed,
        key: zaiKey,
        accepts: options.zaiAccepts ?? 'both',
        countTokens: options.zaiCountTokens ?? true,
      }),
      name: 'zai',
      port: options.ports?.zai ?? 0,
      basePath: ZAI_BASE_PATH,
      key: zaiKey,
    });
    return {
      anthropic: anthropic.endpoint,
      zai: zai.endpoint,
      setFaults: async (plan) => shared.faults.set(plan === null ? null : await checkPlan(plan)),
      faults: shared.faults.report,
      close: async () => {
        await Promise.all([anthropic.close(), zai.close()]);
      },
    };
  } catch (cause) {
    await anthropic.close();
    throw cause;
  }
}

async function engineFor(seed: number, plan: FaultPlan | undefined): Promise<FaultEngine> {
  const engine = faultEngine(seed);
  if (plan !== undefined) engine.set(await checkPlan(plan));
  return engine;
}
