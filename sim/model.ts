/**
 * What the contract says should happen, written a second time for the simulated lanes, without the
 * program's own routing, preparing or field lists. Where the two disagree, one of them is wrong.
 */
import type { RoutingTable } from '../src/core/route.ts';
import type { BodyRules } from './bodies.ts';
import type { Story } from './story.ts';
import { type WireField, wireValue } from './wire-reader.ts';

/** One lane of the simulated configuration, as the judge knows it. */
export interface LaneModel {
  readonly name: string;
  readonly isKeyed: boolean;
  readonly host: string;
  readonly port: number;
  readonly basePath: string;
  readonly dropUserId: boolean;
  readonly dropAttribution: boolean;
}

export const LANES: readonly LaneModel[] = [
  {
    name: 'anthropic',
    isKeyed: false,
    host: 'anthropic.sim',
    port: 80,
    basePath: '',
    dropUserId: false,
    dropAttribution: false,
  },
  {
    name: 'zai',
    isKeyed: true,
    host: 'zai.sim',
    port: 8443,
    basePath: '/api/anthropic',
    dropUserId: true,
    dropAttribution: true,
  },
  {
    name: 'other',
    isKeyed: true,
    host: 'other.sim',
    port: 8080,
    basePath: '',
    dropUserId: false,
    dropAttribution: true,
  },
];

export const DEFAULT_LANE = 'anthropic';
export const MAPPED_MODEL = 'glm-4.5-air';

export function laneNamed(name: string): LaneModel {
  const lane = LANES.find((candidate) => candidate.name === name);
  if (lane === undefined) throw new Error(`no lane ${name}`);
  return lane;
}

/** The authority as it stands in `Host`. */
export function authorityOf({ host, port }: LaneModel): string {
  return port === 80 ? host : `${host}:${port}`;
}

export interface Due {
  readonly lane: string;
  readonly decision: string;
}

/** Where a request goes under one table. */
export function due(story: Story, table: RoutingTable): Due {
  const { plan } = story;
  const path = plan.target.replace(/\?.*$/s, '');
  const isRouted =
    plan.method === 'POST' && (path === '/v1/messages' || path === '/v1/messages/count_tokens');
  if (!isRouted) return { lane: DEFAULT_LANE, decision: 'passthrough' };
  if (story.anomalies.has('not_held')) return { lane: DEFAULT_LANE, decision: 'default' };
  if (table.paused) return { lane: DEFAULT_LANE, decision: 'paused' };
  const model = plan.model?.toLowerCase() ?? null;
  if (model?.includes('haiku') && table.forcedLane !== null) {
    return { lane: 'zai', decision: 'forced_model' };
  }
  if (model?.includes('haiku') && plan.agent === 'subagent') {
    return { lane: 'zai', decision: 'subagent' };
  }
  if (model?.includes('opus')) return { lane: 'other', decision: 'rule:opus' };
  return { lane: DEFAULT_LANE, decision: 'default' };
}

/** Where a request may go: by every table that was in force, and back to the default for a reason. */
export function allDue(story: Story): Due[] {
  const ways = story.tables.map((table) => due(story, table));
  // The user's own text holds the user's own credential: unchanged, where it was going anyway.
  if (story.plan.leak === 'own-in-body' && ways.some(({ lane }) => laneNamed(lane).isKeyed)) {
    ways.push({ lane: DEFAULT_LANE, decision: 'default' });
  }
  return ways;
}

/** What a keyed lane makes of a body. */
export function bodyRules(lane: LaneModel, model: string | null): BodyRules {
  const isMapped = lane.name === 'zai' && model !== null && /haiku/i.test(model);
  return {
    model: isMapped ? MAPPED_MODEL : null,
    dropUserId: lane.dropUserId,
    dropAttribution: lane.dropAttribution,
  };
}

const ONE_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-authentication-info',
  'te',
  'upgrade',
]);

/** The fields that travel on, in their order. */
export function endToEndOf(fields: readonly WireField[]): WireField[] {
  const named = new Set(
    fields
      .filter(([name]) => name.toLowerCase() === 'connection')
      .flatMap(([, value]) => value.toLowerCase().split(','))
      .map((token) => token.trim()),
  );
  return fields.filter(([name]) => {
    const lower = name.toLowerCase();
    return !ONE_HOP.has(lower) && !named.has(lower);
  });
}

/** The fields of a request on a passthrough lane. */
export function passthroughFields(story: Story, lane: LaneModel): WireField[] {
  const { plan, door } = story;
  const isHeld = plan.isRouted && plan.framing !== 'none' && !story.anomalies.has('not_held');
  const fields: WireField[] = [];
  const kept = new Set(endToEndOf(plan.fields));
  for (const field of plan.fields) {
    const name = field[0].toLowerCase();
    const isSwitch = plan.isUpgrade && (name === 'upgrade' || name === 'connection');
    if (!kept.has(field) && !isSwitch) continue;
    if (name === 'host') fields.push([field[0], authorityOf(lane)]);
    else if (name !== 'expect' || !isHeld) fields.push(field);
  }
  if (door === 'port' && plan.framing === 'chunked') {
    fields.push(
      isHeld ? ['content-length', String(plan.payload.length)] : ['transfer-encoding', 'chunked'],
    );
  }
  return fields;
}

const ALLOWED = [
  'content-type',
  'accept',
  'accept-encoding',
  'anthropic-version',
  'anthropic-beta',
  'user-agent',
];

/** The fields of a request on a keyed lane, without the lane's credential, which comes last. */
export function keyedFields(story: Story, lane: LaneModel, bodyBytes: number): WireField[] {
  const fields: WireField[] = [['host', authorityOf(lane)]];
  for (const allowed of ALLOWED) {
    for (const [name, value] of story.plan.fields) {
      if (name.toLowerCase() === allowed) fields.push([allowed, value]);
    }
  }
  fields.push(['content-length', String(bodyBytes)]);
  return fields;
}

/** What a client of HTTP/1 is to see of an answer's fields, but for `Connection`. */
export function answerFields(
  story: Story,
  script: {
    readonly fields: readonly WireField[];
    readonly framing: string;
    readonly status: number;
  },
): WireField[] {
  const fields = endToEndOf(script.fields);
  if (script.status === 101) {
    return [...fields, ...script.fields.filter(([name]) => name.toLowerCase() === 'upgrade')];
  }
  const isOld = story.plan.version === '1.0';
  if (script.framing === 'close' || (script.framing === 'chunked' && isOld)) {
    return fields.filter(([name]) => !/^(transfer-encoding|content-length)$/i.test(name));
  }
  return fields;
}

export function sameFields(a: readonly WireField[], b: readonly WireField[]): boolean {
  return (
    a.length === b.length &&
    a.every(([name, value], at) => name === b[at]?.[0] && value === b[at]?.[1])
  );
}

/** Fields of a head as one line, for a message. */
export function shown(fields: readonly WireField[]): string {
  return fields.map(([name, value]) => `${name}: ${value}`).join(' | ');
}

/** The credentials of a head, as one string: what a connection may not mix. */
export function credentialsOf(fields: readonly WireField[]): string {
  return fields
    .filter(([name]) => /^(authorization|x-api-key|cookie|proxy-authorization)$/i.test(name))
    .map(([name, value]) => `${name.toLowerCase()}=${value}`)
    .join('\n');
}

/** The wait that an answer asks for, ms; null where it names none that can be read. */
export function waitAsked(fields: readonly WireField[], wall: number): number | null {
  const value = wireValue(fields, 'retry-after');
  if (value === undefined) return null;
  if (/^\d+$/.test(value)) return Number(value) * 1000;
  const at = /GMT$/.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(at) ? null : Math.max(0, at - wall);
}
