/**
 * One exchange, from the first byte of its request to its one ledger record.
 *
 * The exchange stands between two ports (`core/ports.ts`): the client's `Inbound` and, attempt by
 * attempt, an upstream's `Outbound`. It moves through four stages, never back:
 *   collecting (a routed body is held) → sending (an attempt is under way) → answering (a head went
 *   to the client; no attempt can follow) → over (the client's side has closed, the record is written)
 *
 * Bytes of an answer go to the client first and to the reader after; a full sink stops its source.
 */
import assert from 'node:assert';
import { crc32 } from 'node:zlib';
import { type ErrorCode, localAnswer } from '../core/errors.ts';
import { fieldValue, requestIdOf } from '../core/fields.ts';
import type { Place } from '../core/json/cutter.ts';
import { CONTINUE, type Fields, payloadLength, type ResponseHead } from '../core/message.ts';
import type {
  ByteStream,
  Delivery,
  Inbound,
  InboundEvents,
  UpstreamFailure,
} from '../core/ports.ts';
import { mayRetryFailure } from '../core/retry.ts';
import { decide, isRouted, pathOf } from '../core/route.ts';
import type { AnswerFacts } from '../core/tap/facts.ts';
import {
  type HeaderMode,
  IsolationError,
  type Lane,
  type PreparedRequest,
  UneditableError,
} from '../lanes/lane.ts';
import type { ExchangeSamples } from '../ledger/tee.ts';
import { type Account, openAccount } from './account.ts';
import { type AnswerReader, createAnswerReader } from './answer-reader.ts';
import { Attempt, type AttemptEvents } from './attempt.ts';
import { Book } from './book.ts';
import { createIntake, type Intake } from './intake.ts';
import { type HeadVerdict, judgeHead } from './policy.ts';
import type { RelayDeps } from './relay.ts';
import { joinStreams } from './upgrade.ts';

type Stage = 'collecting' | 'sending' | 'answering' | 'over';

/** Runs one exchange; `onOver` comes once, after its record was handed to the ledger. */
export class Exchange implements InboundEvents, AttemptEvents {
  readonly #inbound: Inbound;
  readonly #deps: RelayDeps;
  readonly #onOver: () => void;
  readonly #account: Account;
  readonly #book: Book;
  /** Takes in the body of a routed request; null where the body streams from the start. */
  readonly #intake: Intake | null;
  #stage: Stage = 'collecting';
  #attempt: Attempt | null = null;
  #lane: Lane;
  #reader: AnswerReader | null = null;
  #requestEnded = false;
  #trailers: Fields = [];
  /** Where the held body may be edited. */
  #places: readonly Place[] | null = null;
  /** The body is no longer held: it went to the first attempt and can not be sent again. */
  #streaming = false;
  /** The exchange became two byte streams joined with each other. */
  #joined = false;
  #cancelWait: (() => void) | null = null;
  readonly #samples: ExchangeSamples | null;

  constructor(inbound: Inbound, deps: RelayDeps, onOver: () => void) {
    this.#inbound = inbound;
    this.#deps = deps;
    this.#onOver = onOver;
    const { head } = inbound;
    const path = pathOf(head.target);
    const table = deps.routing();
    this.#lane = deps.lane(table.defaultLane);
    this.#account = openAccount(deps.newId(), head, path, this.#lane, deps.clock);
    this.#book = new Book(this.#account, deps.ledger, deps.clock);
    const routed = isRouted(head.method, path) && head.framing.kind !== 'none';
    this.#intake = routed ? createIntake(head, deps.holdBudget) : null;
    this.#samples = routed && deps.tee.active ? deps.tee.open(this.#account.rid) : null;
    this.#samples?.request.type(fieldValue(head.fields, 'content-type') ?? '');
  }

  /** Starts the exchange. */
  start(): void {
    const intake = this.#intake;
    this.#inbound.read(this);
    if (intake === null) this.#route(null);
    else if (intake.hopeless) this.#spill('body larger than can be held');
    else if (this.#inbound.head.expectContinue) this.#inbound.interim(CONTINUE);
  }

  /* ---- the client's side ---- */

  onBody(wire: Buffer, data: readonly Buffer[] | null): void {
    if (this.#stage === 'collecting') this.#collect(wire, data);
    else if (this.#stage !== 'over') this.#forward(wire, data);
  }

  onEnd(trailers: Fields): void {
    if (this.#stage === 'over') return;
    this.#requestEnded = true;
    this.#trailers = trailers;
    if (this.#stage === 'collecting') this.#routeHeld();
    else this.#attempt?.end(trailers);
  }

  onDrain(): void {
    this.#attempt?.resume();
  }

  onClose(delivery: Delivery): void {
    // An upgraded connection is over when both its directions are, which the join tells.
    if (!this.#joined) this.#close(delivery);
  }

  #close(delivery: Delivery): void {
    assert(this.#stage !== 'over', 'an exchange ends once');
    this.#stage = 'over';
    this.#cancelWait?.();
    this.#note();
    this.#attempt?.abort();
    this.#intake?.held.release();
    // Taken here, since the reader of an encoded answer may need a moment more.
    const now = this.#deps.clock.now();
    const reader = this.#reader;
    if (reader === null) this.#finish(delivery, null, now);
    else reader.finish((facts) => this.#finish(delivery, facts, now));
  }

  /* ---- collecting ---- */

  #collect(wire: Buffer, data: readonly Buffer[] | null): void {
    const slices = data ?? [wire];
    for (let index = 0; index < slices.length; index += 1) {
      const slice = slices[index] as Buffer;
      if (this.#intake?.take(slice) !== true) {
        this.#spill('no room to hold the body');
        for (const rest of slices.slice(index)) this.#forward(rest, null);
        return;
      }
      this.#samples?.request.push(slice);
    }
  }

  /** Gives up holding: the request streams down the default lane, unrouted and without a replay. */
  #spill(why: string): void {
    this.#book.anomaly('not_held', 'hold_limit', { detail: why });
    this.#account.decision = 'default';
    this.#streaming = true;
    this.#send(this.#deps.lane(this.#deps.routing().defaultLane), undefined);
  }

  #routeHeld(): void {
    const facts = this.#intake?.finish() ?? null;
    this.#account.streamAsked = facts?.stream ?? null;
    this.#places = facts?.places ?? null;
    this.#route(facts?.model ?? null);
  }

  #route(model: string | null): void {
    const account = this.#account;
    account.model = model;
    const { method } = this.#inbound.head;
    const { path, agent } = account;
    const { lane, decision } = decide({ method, path, model, agent }, this.#deps.routing());
    account.decision = decision;
    this.#streaming = this.#intake === null && this.#inbound.head.framing.kind !== 'none';
    this.#send(this.#deps.lane(lane), undefined);
  }

  /* ---- sending ---- */

  #send(lane: Lane, mode: HeaderMode | undefined): void {
    const account = this.#account;
    this.#stage = 'sending';
    this.#lane = lane;
    account.lane = lane.name;
    account.tag = lane.tag;
    account.attempts += 1;
    account.bytesUp = 0;
    account.failure = null;
    const prepared = this.#prepare(lane, mode);
    if (prepared === null) return;
    account.modelSent = prepared.modelSent;
    account.headerMode = prepared.headerMode;
    const spilled = this.#streaming ? (this.#intake?.held ?? null) : null;
    const attempt = new Attempt(prepared, this.#inbound, this, spilled);
    this.#attempt = attempt;
    attempt.open(lane);
    if (this.#requestEnded || !this.#streaming) attempt.end(this.#trailers);
    else if (!attempt.flush()) this.#inbound.pause();
  }

  #prepare(lane: Lane, mode: HeaderMode | undefined): PreparedRequest | null {
    const { head, protocol } = this.#inbound;
    const body = this.#streaming ? null : (this.#intake?.held.pieces ?? null);
    try {
      return lane.prepare(
        { head, clientProtocol: protocol, body, model: this.#account.model, places: this.#places },
        mode,
      );
    } catch (error) {
      this.#unprepared(lane, error);
      return null;
    }
  }

  /** A request that may not or can not go down a lane: to the default one unchanged, or refused. */
  #unprepared(lane: Lane, error: unknown): void {
    const account = this.#account;
    const defaultLane = this.#deps.lane(this.#deps.routing().defaultLane);
    const isolation = error instanceof IsolationError;
    const harmless = error instanceof UneditableError || (isolation && error.part === 'body');
    if (isolation) this.#book.anomaly('lane_isolation', error.part, { detail: error.message });
    else this.#book.fault('prepare', error);
    if (harmless && lane !== defaultLane) {
      account.decision = 'default';
      account.attempts -= 1;
      this.#send(defaultLane, undefined);
    } else {
      this.#refuse(isolation ? 'lane_isolation' : 'internal', '');
    }
  }

  #forward(wire: Buffer, data: readonly Buffer[] | null): void {
    const attempt = this.#attempt;
    if (attempt === null || this.#requestEnded) return;
    if (!attempt.write(wire, data)) this.#inbound.pause();
  }

  /* ---- the upstream's side ---- */

  onInterim(head: ResponseHead): void {
    // A held request was already told to continue.
    if (head.status === 100 && !this.#streaming) return;
    if (!this.#inbound.interim(head)) this.#attempt?.pause();
  }

  onAnswer(attempt: Attempt, head: ResponseHead): void {
    const account = this.#account;
    const { status } = head;
    this.#note();
    const verdict = this.#judge(attempt, head);
    if (verdict.act === 'forward') {
      const mode = attempt.prepared.headerMode;
      if (account.attempts > 1 && status !== 401 && mode !== null) this.#lane.keepHeaderMode(mode);
      this.#pass(head);
      return;
    }
    attempt.abort();
    this.#attempt = null;
    switch (verdict.act) {
      case 'other_mode':
        this.#book.anomaly('retry', 'header_mode', { detail: `trying ${verdict.mode}`, status });
        this.#send(this.#lane, verdict.mode);
        return;
      case 'fall_back':
        this.#book.anomaly('fallback', 'count_tokens', { detail: 'not counted there', status });
        account.decision = 'fallback';
        this.#send(this.#deps.lane(this.#deps.routing().defaultLane), undefined);
        return;
      case 'wait':
        account.backoffMs += verdict.ms;
        this.#book.anomaly('retry', 'backoff', { status, backoffMs: verdict.ms });
        this.#cancelWait = this.#deps.clock.after(verdict.ms, () => {
          this.#cancelWait = null;
          this.#send(this.#lane, undefined);
        });
    }
  }

  #judge({ prepared }: Attempt, head: ResponseHead): HeadVerdict {
    const deps = this.#deps;
    const { path, attempts } = this.#account;
    return judgeHead(head, {
      mode: prepared.headerMode,
      path,
      attempts,
      replayable: !this.#streaming,
      backoff: deps.backoff(),
      isDefaultLane: this.#lane.name === deps.routing().defaultLane,
      wall: deps.clock.wall(),
      random: deps.random,
    });
  }

  #pass(head: ResponseHead): void {
    const account = this.#account;
    this.#stage = 'answering';
    account.status = head.status;
    account.headAt = this.#deps.clock.now();
    account.lastByteAt = account.headAt;
    account.requestId = requestIdOf(head.fields);
    const samples = this.#samples;
    if (this.#intake !== null) {
      const onData = samples === null ? null : (bytes: Buffer) => samples.answer.push(bytes);
      this.#reader = createAnswerReader(head, this.#deps.clock, onData);
      samples?.answer.type(fieldValue(head.fields, 'content-type') ?? '');
    }
    // Nothing is sent again from here on, and an answer may take minutes.
    if (this.#attempt?.dropBody() === true) this.#intake?.held.release();
    this.#inbound.respond(head);
  }

  onAnswerBody(wire: Buffer, data: readonly Buffer[] | null): void {
    const account = this.#account;
    account.received += payloadLength(wire, data);
    if (data === null) account.crc = crc32(wire, account.crc);
    else for (const slice of data) account.crc = crc32(slice, account.crc);
    account.lastByteAt = this.#deps.clock.now();
    const room = this.#inbound.write(wire, data);
    // The write may have found that the client is gone.
    if (this.#isOver()) return;
    if (!room) this.#attempt?.pause();
    this.#reader?.push(wire, data);
  }

  onAnswerEnd(trailers: Fields): void {
    this.#account.upstreamEnded = true;
    this.#note();
    this.#attempt = null;
    // An unread rest of the request is the edge's to drain: nobody upstream wants it.
    this.#inbound.resume();
    this.#inbound.end(trailers);
  }

  onFail(failure: UpstreamFailure): void {
    const account = this.#account;
    this.#note();
    this.#attempt = null;
    const { attempts } = account;
    const { code, phase, detail } = failure;
    this.#book.anomaly('upstream_failure', code, { detail: `${phase}: ${detail}` });
    if (this.#stage === 'answering') {
      account.failure = failure;
      this.#inbound.cut();
      return;
    }
    const { method } = this.#inbound.head;
    if (mayRetryFailure(failure, { replayable: !this.#streaming, attempts, method })) {
      this.#book.anomaly('retry', code, { detail: 'nothing had happened' });
      this.#send(this.#lane, account.headerMode ?? undefined);
      return;
    }
    account.failure = failure;
    this.#refuse(`upstream_${code}`, detail);
  }

  onUpgrade(head: ResponseHead, upstream: ByteStream): void {
    const account = this.#account;
    this.#stage = 'answering';
    account.status = head.status;
    account.headAt = this.#deps.clock.now();
    this.#attempt = null;
    this.#joined = true;
    joinStreams(this.#inbound.upgrade(head), upstream, ({ up, down, whole }) => {
      account.bytesUp = up;
      account.received = down;
      account.upstreamEnded = whole;
      this.#close({ how: whole ? 'complete' : 'gone', bytes: down, crc: account.crc });
    });
  }

  /* ---- endings ---- */

  /** What the attempt under way came to so far. */
  #note(): void {
    if (this.#attempt === null) return;
    this.#account.bytesUp = this.#attempt.bytesUp;
    this.#account.h2 = this.#attempt.protocol === 'h2';
  }

  #isOver(): boolean {
    return this.#stage === 'over';
  }

  /** Answers with an error of our own. */
  #refuse(code: ErrorCode, detail: string): void {
    const account = this.#account;
    const { head, body } = localAnswer(code, account.rid, detail);
    this.#stage = 'answering';
    account.local = true;
    account.status = head.status;
    account.headAt = this.#deps.clock.now();
    this.#inbound.resume();
    this.#inbound.respond(head);
    this.#inbound.write(body, null);
    this.#inbound.end([]);
  }

  #finish(delivery: Delivery, facts: AnswerFacts | null, now: number): void {
    this.#book.close(delivery, this.#reader?.sse ?? false, facts, now);
    this.#book.sample(this.#deps.tee, this.#samples);
    this.#onOver();
  }
}
