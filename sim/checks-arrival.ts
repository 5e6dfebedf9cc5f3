/**
 * What is checked when a request reaches an upstream: isolation, fidelity of the request, that it was
 * to go there, and that it does not come twice.
 */
import type { AnswerScript } from './answers.ts';
import {
  allDue,
  authorityOf,
  bodyRules,
  credentialsOf,
  DEFAULT_LANE,
  keyedFields,
  type LaneModel,
  laneNamed,
  passthroughFields,
  sameFields,
  shown,
  waitAsked,
} from './model.ts';
import type { Arrival, Story } from './story.ts';
import { Matcher, type WireField, type WireHead, wireValue } from './wire-reader.ts';
import type { World } from './world.ts';

const IDLE_MS_MIN = 1_000;
const RACE_MS_MAX = 1_000;
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

export class ArrivalChecks {
  readonly #world: World;
  /** Unix ms of the run's begin. */
  readonly #wallStart: number;

  constructor(world: World, wallStart: number) {
    this.#world = world;
    this.#wallStart = wallStart;
  }

  /** A credential was seen among the bytes that a lane's upstream received. */
  canary(lane: string, canary: string): void {
    const owner = canary.split('-')[1];
    const isRight = laneNamed(lane).isKeyed ? owner === lane : owner === 'client';
    if (!isRight) this.#world.violate('1 isolation', `${lane} received ${canary}`);
  }

  /** A head has come; returns the credentials that the connection carries from now on. */
  arrived(story: Story, arrival: Arrival, head: WireHead, carried: string | null): string {
    const world = this.#world;
    const lane = laneNamed(arrival.lane);
    const credentials = credentialsOf(head.fields);
    if (carried !== null && carried !== credentials) {
      world.violate('1 isolation', `${lane.name}: a connection changed its credentials`);
    }
    this.#isDue(story, lane);
    this.#isOnce(story, arrival, head);
    this.#isFaithful(story, arrival, lane, head);
    story.arrivals.push(arrival);
    return credentials;
  }

  /** The last byte of the request has come. */
  completed(story: Story, arrival: Arrival): void {
    const { plan } = story;
    if (plan.flaw !== 'none') {
      const what = `request ${plan.id} is broken (${plan.flaw}) and reached ${arrival.lane} whole`;
      this.#world.violate('7 closed by default', what);
    }
    if (arrival.body !== null && !arrival.body.isWhole) {
      const { matched, expected } = arrival.body;
      const what = `request ${plan.id} ended after ${matched} of ${expected.length} bytes`;
      this.#world.violate('2 fidelity', what);
    }
  }

  #isDue(story: Story, lane: LaneModel): void {
    const { plan } = story;
    const fault = (why: string): void =>
      this.#world.violate('7 closed by default', `request ${plan.id} on ${lane.name}: ${why}`);
    if (plan.refusal !== null) fault(`was to be refused (${plan.refusal.join()})`);
    if (plan.flaw === 'head') fault('its head is broken');
    if (plan.leak === 'foreign-key' && !lane.isKeyed) {
      this.#world.violate('1 isolation', `request ${plan.id} carries a key to ${lane.name}`);
    }
    const ways = allDue(story).map((way) => way.lane);
    if (story.arrivals.some(({ script }) => script?.status === 404)) ways.push(DEFAULT_LANE);
    if (!ways.includes(lane.name)) fault(`was to go to ${ways.join(' or ') || 'nobody'}`);
  }

  /** Invariant 6, by what the upstreams know. */
  #isOnce(story: Story, arrival: Arrival, head: WireHead): void {
    const before = story.arrivals.at(-1);
    if (before === undefined) return;
    const { plan } = story;
    const fault = (why: string): void =>
      this.#world.violate(
        '6 nothing twice',
        `request ${plan.id} (${plan.method}) came again: ${why}`,
      );
    if (story.arrivals.length > 1) fault('for the third time');
    const isHeld = plan.isRouted && !story.anomalies.has('not_held');
    if (plan.payload.length > 0 && !isHeld) fault('its body was not held');
    const given = before.socket.bytesGiven - before.givenBefore;
    if (given >= (before.script?.headBytes ?? Number.POSITIVE_INFINITY)) {
      this.#isAsked(story, before, arrival, head, fault);
      return;
    }
    const hasBroken = before.end === 'fin' || before.end === 'reset' || before.socket.destroyed;
    if (given > 0) fault('it had been answered in part');
    else if (!hasBroken) fault('the first try is still under way');
    else if (!SAFE.has(plan.method) && !isRace(before)) {
      fault(`rest ${before.restedMs} ms, broke after ${before.endedAt - before.at} ms`);
    }
  }

  /** A second try that an answer asked for. */
  #isAsked(
    story: Story,
    before: Arrival,
    arrival: Arrival,
    head: WireHead,
    fault: (why: string) => void,
  ): void {
    const { script } = before;
    if (script === null) return;
    switch (script.status) {
      case 401: {
        const isSame = arrival.lane === before.lane && laneNamed(arrival.lane).isKeyed;
        if (!isSame) fault('after a 401 of another lane');
        return;
      }
      case 404:
        if (!story.plan.target.includes('/count_tokens')) fault('after a 404');
        if (before.lane === DEFAULT_LANE || arrival.lane !== DEFAULT_LANE) fault('no fallback');
        return;
      case 429:
      case 503:
      case 529:
        this.#isWaitedFor(before, arrival, script, fault);
        return;
      default:
        fault(`after status ${script.status}, as ${head.start}`);
    }
  }

  /** A second try after an answer that asked for a wait. */
  #isWaitedFor(
    before: Arrival,
    arrival: Arrival,
    script: AnswerScript,
    fault: (why: string) => void,
  ): void {
    const wall = this.#wallStart + before.headSentAt;
    const asked = waitAsked(script.fields, wall) ?? (script.status === 429 ? 200 : 1000);
    const waited = this.#world.now - before.headSentAt;
    if (!this.#world.knobs.backoff) fault('without backoff');
    if (wireValue(script.fields, 'x-should-retry') === 'false') fault('x-should-retry: false');
    if (waited < asked - 1) fault(`after ${waited} ms in place of ${asked}`);
    if (arrival.lane !== before.lane) fault('on another lane');
  }

  #isFaithful(story: Story, arrival: Arrival, lane: LaneModel, head: WireHead): void {
    const { plan } = story;
    const fault = (what: string): void =>
      this.#world.violate('2 fidelity', `request ${plan.id} on ${lane.name}: ${what}`);
    const start = `${plan.method} ${lane.basePath}${plan.target} HTTP/1.1`;
    if (head.start !== start) fault(`start line ${head.start} in place of ${start}`);
    if (!lane.isKeyed) {
      const expected = passthroughFields(story, lane);
      if (!sameFields(head.fields, expected)) {
        fault(`fields ${shown(head.fields)} in place of ${shown(expected)}`);
      }
      arrival.body = new Matcher(plan.payload);
      return;
    }
    if (plan.body === null) {
      fault('a body that can not be edited');
      return;
    }
    const text = plan.body.edited(bodyRules(lane, plan.model));
    this.#isStillJson(story, lane, text);
    arrival.body = new Matcher(Buffer.from(text));
    const expected = keyedFields(story, lane, arrival.body.expected.length);
    const own = head.fields.at(-1);
    if (!sameFields(head.fields.slice(0, -1), expected) || !isKey(lane, own)) {
      fault(`fields ${shown(head.fields)} in place of ${shown(expected)} and the key`);
    }
    if (wireValue(head.fields, 'host') !== authorityOf(lane)) fault('another host');
  }

  /** The expectation itself, by what `JSON.parse` makes of both. */
  #isStillJson(story: Story, lane: LaneModel, text: string): void {
    const before = JSON.parse(story.plan.body?.text ?? '') as Record<string, unknown>;
    const after = JSON.parse(text) as Record<string, unknown>;
    const rules = bodyRules(lane, story.plan.model);
    if (rules.model !== null && typeof before['model'] === 'string') before['model'] = rules.model;
    const { metadata, system } = before;
    if (rules.dropUserId && isObject(metadata)) delete metadata['user_id'];
    if (rules.dropAttribution && Array.isArray(system)) {
      const at = system.findIndex(
        (entry) => isObject(entry) && `${entry['text']}`.startsWith('x-anthropic-billing-header:'),
      );
      if (at >= 0) system.splice(at, 1);
    }
    if (JSON.stringify(before) === JSON.stringify(after)) return;
    this.#world.violate('2 fidelity', `the judge errs about the body of ${story.plan.id}`);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isKey(lane: LaneModel, field: WireField | undefined): boolean {
  if (field === undefined) return false;
  const [name, value] = field;
  const mark = `CANARY-${lane.name}-`;
  return name === 'x-api-key'
    ? value.startsWith(mark)
    : name === 'authorization' && value.startsWith(`Bearer ${mark}`);
}

/** It may have met the upstream's idle timer: it had rested, and broke at once. */
function isRace(before: Arrival): boolean {
  const { restedMs, at, endedAt } = before;
  return restedMs !== null && restedMs >= IDLE_MS_MIN && endedAt - at <= RACE_MS_MAX;
}
