/**
 * What is checked of an exchange as it ends: the answer that the client got, the one record, and that
 * nothing of it goes on at an upstream.
 */
import type { UsageRecord } from '../src/ledger/record.ts';
import { recordFault } from './checks-record.ts';
import { allDue, answerFields, laneNamed, sameFields, shown } from './model.ts';
import type { SimProxy } from './proxy.ts';
import type { Arrival, Story } from './story.ts';
import { wireValue } from './wire-reader.ts';
import type { Invariant, World } from './world.ts';

export class EndChecks {
  exchanges = 0;
  readonly #world: World;
  #open = 0;
  #proxy: SimProxy | null = null;

  constructor(world: World) {
    this.#world = world;
  }

  /** The proxy that is judged. */
  watch(proxy: SimProxy): void {
    this.#proxy = proxy;
  }

  /** Exchanges that have not ended for both sides. */
  get open(): number {
    return this.#open;
  }

  began(): void {
    this.#open += 1;
  }

  neverSent(story: Story): void {
    if (story.isJudged) return;
    story.isJudged = true;
    this.#open -= 1;
  }

  /** The head of an answer has come to the client. */
  answered(story: Story): void {
    const { got, plan } = story;
    if (got.local !== null || got.head === null || isCrossed(story)) return;
    const script = story.arrivals.at(-1)?.script;
    if (script === null || script === undefined) {
      this.#fault(story, '2 fidelity', `an answer ${got.status} that no upstream gave`);
      return;
    }
    const start = `HTTP/1.1 ${script.status} ${script.reason}`;
    if (got.head.start !== start) {
      this.#fault(story, '2 fidelity', `${got.head.start} in place of ${start}`);
    }
    const isOurs = ([name]: readonly [string, string]): boolean =>
      name.toLowerCase() !== 'connection';
    const seen = got.head.fields.filter(isOurs);
    const expected = answerFields(story, script);
    if (!sameFields(seen, expected)) {
      this.#fault(story, '2 fidelity', `fields ${shown(seen)} in place of ${shown(expected)}`);
    }
    const isRefused = plan.refusal !== null || plan.flaw === 'head';
    if (isRefused) this.#fault(story, '7 closed by default', 'was to be refused');
  }

  /** Bytes behind the last answer. */
  unasked(stories: readonly Story[], bytes: Buffer): void {
    const last = stories.at(-1);
    // A probe for a client that half-closed, and the refusal of what was cut off, come unasked.
    const text = bytes.toString('latin1', 0, 24);
    if (last === undefined || /^HTTP\/1\.1 (100|408|400)/.test(text)) return;
    this.#fault(last, '2 fidelity', `bytes behind its answer: ${text}`);
  }

  recorded(story: Story, record: UsageRecord): void {
    story.records.push(record);
    this.#world.note('ledger', `record of ${story.plan.id}`, record.bytes_down);
    if (story.records.length > 1) this.#fault(story, '3 one end', 'a second record');
    this.#world.afterStep.push(() => this.#isLetGo(story, record));
    this.#judgeSoon(story);
  }

  clientEnded(story: Story): void {
    this.#judgeSoon(story);
  }

  /** The program has closed its end of the client's connection. */
  connectionClosed(story: Story): void {
    if (story.handled <= story.records.length || isSwitched(story)) return;
    // The reader of an encoded answer may need a moment more; at the end it is asked for again.
    if (isEncoded(story) && !story.arrivals.some(goesOn)) return;
    const invariant = story.arrivals.some(goesOn) ? '4 no lie at the end' : '3 one end';
    this.#fault(story, invariant, 'the client is gone and the exchange is not over');
  }

  /** Its client closed a while ago, when it had sent everything. */
  mustBeOver(story: Story): void {
    const isHeard = story.handled > story.records.length && !isSwitched(story);
    if (!isHeard || !story.arrivals.some(goesOn) || isEncoded(story)) return;
    // Behind FIN, RST is noticed by the next write alone: an answer under way waits for its next byte.
    if (story.arrivals.some(hasBegun)) return;
    // With the request unread, its FIN is unread too.
    if (story.arrivals.at(-1)?.isComplete !== true) return;
    const what = 'its client closed, and it goes on at an upstream';
    this.#fault(story, '4 no lie at the end', what);
  }

  /** Nothing will happen any more. */
  atTheEnd(): void {
    for (const story of this.#world.stories.values()) {
      if (story.isJudged) continue;
      if (story.got.end === 'open' && story.startedAt > 0) {
        this.#fault(story, '3 one end', 'its client waits for ever');
      } else if (story.records.length < story.handled) {
        this.#fault(story, '3 one end', 'it has no record');
      }
    }
  }

  #fault(story: Story, invariant: Invariant, what: string): void {
    this.#world.violate(invariant, `request ${story.plan.id}: ${what}`);
  }

  #judgeSoon(story: Story): void {
    this.#world.afterStep.push(() => {
      const isOver = story.got.end !== 'open' && story.records.length >= story.handled;
      if (!isOver || story.isJudged) return;
      story.isJudged = true;
      this.#open -= 1;
      if (story.handled > 0) this.exchanges += 1;
      this.#judge(story);
    });
  }

  /** With its record written, nothing of an exchange may go on at an upstream. */
  #isLetGo(story: Story, record: UsageRecord): void {
    // The parting word of an idle connection crossed the request: its upstream knows nothing of an end yet.
    if (record.status === 408) return;
    for (const arrival of story.arrivals) {
      if (!goesOn(arrival) || isSwitched(story)) continue;
      const what = `it is recorded (${record.status}), and goes on at ${arrival.lane}`;
      this.#fault(story, '4 no lie at the end', what);
    }
  }

  #judge(story: Story): void {
    const { got, plan } = story;
    const last = story.arrivals.at(-1);
    if (plan.refusal !== null && story.handled > 0) {
      this.#fault(story, '7 closed by default', `the relay was given what was to be refused`);
    }
    if (got.local !== null) this.#isLocalRight(story, got.local);
    else if (isSwitched(story) || isCrossed(story)) return;
    else if (got.end === 'clean') this.#isEndTrue(story, last);
    else if (got.end === 'cut' || got.end === 'reset') this.#isCutDue(story, last);
    const record = story.records[0];
    if (record !== undefined) this.#isRecordTrue(story, record, last);
  }

  /** A clean end is one that an upstream made. */
  #isEndTrue(story: Story, last: Arrival | undefined): void {
    const { got } = story;
    const script = last?.script;
    if (last === undefined || script === null || script === undefined) return;
    const isClosedWhole =
      script.framing === 'close' && script.cut?.how === 'fin' && last.sentBytes >= script.headBytes;
    const expected = isClosedWhole ? last.sentBytes - script.headBytes : script.payload.length;
    const isHeadOnly = story.plan.method === 'HEAD' || script.framing === 'none';
    if (!isHeadOnly && got.payloadBytes !== expected) {
      const what = `a clean end after ${got.payloadBytes} of ${expected} bytes`;
      this.#fault(story, '4 no lie at the end', what);
    }
    const isBroken = script.flaw !== 'none' || last.sentBytes < script.wire.length;
    if (isBroken && !isClosedWhole) {
      this.#fault(story, '4 no lie at the end', 'a clean end of an answer that was broken');
    }
  }

  /** What is cut for the client was cut by somebody. */
  #isCutDue(story: Story, last: Arrival | undefined): void {
    const { plan } = story;
    const script = last?.script;
    if (last === undefined || script === null || script === undefined) return;
    const isWhole =
      last.end === 'whole' && last.isComplete && !script.isEarly && script.flaw === 'none';
    // RST that cuts a later answer takes along what was not read of those before it.
    if (story.isPipelined && story.got.end === 'reset') return;
    const isOurs =
      plan.flaw !== 'none' || story.hasFin || plan.isUpgrade || this.#proxy?.isDraining === true;
    if (isWhole && !isOurs) {
      this.#fault(story, '4 no lie at the end', `${story.got.end}, though the answer was whole`);
    }
  }

  #isLocalRight(story: Story, code: string): void {
    const { plan } = story;
    if (plan.refusal !== null) {
      if (!plan.refusal.includes(code) && !story.hasFin) {
        this.#fault(
          story,
          '7 closed by default',
          `${code} in place of ${plan.refusal.join(' or ')}`,
        );
      }
      return;
    }
    if (code.startsWith('upstream_')) {
      if (story.failures.at(-1) !== code.slice('upstream_'.length)) {
        this.#fault(story, '2 fidelity', `${code} without such a failure`);
      }
      return;
    }
    if (code === 'lane_isolation') {
      if (plan.leak === 'none') this.#fault(story, '1 isolation', 'refused without a leak');
      return;
    }
    const isBroken = plan.flaw !== 'none' || story.hasFin || story.got.end === 'left';
    if (!isBroken || code === 'internal') {
      this.#fault(story, 'the program lives', `${code} to a request that is right`);
    }
  }

  #isRecordTrue(story: Story, record: UsageRecord, last: Arrival | undefined): void {
    const { got } = story;
    const fault = (what: string): void => this.#fault(story, '3 one end', `its record ${what}`);
    if (got.head !== null && record.status !== got.status) {
      fault(`says ${record.status} in place of ${got.status}`);
    }
    if (record.attempts < story.arrivals.length) fault(`says ${record.attempts} attempts`);
    // One that was refused on its way to another lane says where it was refused.
    const hasArrived = story.opened === story.arrivals.length && got.local === null;
    if (last !== undefined && hasArrived && record.lane !== last.lane) {
      fault(`says ${record.lane} in place of ${last.lane}`);
    }
    const decisions = allDue(story).map(({ decision }) => decision);
    if (![...decisions, 'fallback'].includes(record.decision) && story.opened > 0) {
      fault(`says ${record.decision} in place of ${decisions.join(' or ')}`);
    }
    const isPlain = got.local === null && got.status !== 101;
    if (got.end === 'clean' && isPlain && !record.intact) fault('says that it is not intact');
    if (record.intact && !isWhole(last)) fault('says that it is intact');
    if (got.end === 'clean' && isPlain && record.bytes_down !== got.payloadBytes) {
      fault(`counts ${record.bytes_down} of ${got.payloadBytes} bytes`);
    }
    const isKeyed = last !== undefined && laneNamed(last.lane).isKeyed;
    if (hasArrived && isKeyed && record.header_mode === null) {
      fault('misses how the key was presented');
    }
    const wrong = recordFault(story, record);
    if (wrong !== null) fault(wrong);
  }
}

/** The upstream sent all of its answer, or ended one that only the close delimits. */
function isWhole(arrival: Arrival | undefined): boolean {
  const script = arrival?.script;
  if (arrival === undefined || script === null || script === undefined) return false;
  if (script.flaw !== 'none') return false;
  const isClosed = script.framing === 'close' && script.cut?.how === 'fin';
  return arrival.sentBytes >= (isClosed ? script.headBytes : script.wire.length);
}

/** The program was given the head of its answer. */
function hasBegun({ socket, script, givenBefore }: Arrival): boolean {
  return script !== null && socket.bytesGiven - givenBefore >= script.headBytes;
}

/** Its connection is open, and the program has not been given all of its answer. */
function goesOn({ socket, script, givenBefore }: Arrival): boolean {
  const whole = script?.wire.length ?? Number.POSITIVE_INFINITY;
  return !socket.destroyed && socket.bytesGiven - givenBefore < whole;
}

/**
 * The word with which an upstream let an idle connection go came when the next request had just left:
 * nobody can tell it from an answer.
 */
function isCrossed({ got }: Story): boolean {
  return got.status === 408;
}

/** The tap reads it through a decoder. */
export function isEncoded(story: Story): boolean {
  const fields = story.arrivals.at(-1)?.script?.fields ?? [];
  return wireValue(fields, 'content-encoding') !== undefined;
}

/** It became two streams of bytes. */
function isSwitched(story: Story): boolean {
  return story.arrivals.some(({ script }) => script?.isUpgrade === true);
}
