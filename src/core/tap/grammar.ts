/**
 * The events of a message stream and the order they come in: `message_start`, blocks one after
 * another (start, deltas, stop), one or more `message_delta`, `message_stop`; `ping` anywhere; `error`
 * instead of the rest. What is out of order is counted and nothing else: the stream is the client's.
 *
 * Events of other names are new ones and allowed anywhere.
 */

/** Kinds of events; `UNNAMED` where no `event` field came. */
export const EVENT = {
  UNNAMED: 0,
  OTHER: 1,
  PING: 2,
  MESSAGE_START: 3,
  BLOCK_START: 4,
  BLOCK_DELTA: 5,
  BLOCK_STOP: 6,
  MESSAGE_DELTA: 7,
  MESSAGE_STOP: 8,
  ERROR: 9,
} as const;

/** The kind of the event named by `text[from..to)`; an empty name is `UNNAMED`. */
export function eventKind(text: string, from: number, to: number): number {
  switch (to - from) {
    case 0:
      return EVENT.UNNAMED;
    case 4:
      return text.startsWith('ping', from) ? EVENT.PING : EVENT.OTHER;
    case 5:
      return text.startsWith('error', from) ? EVENT.ERROR : EVENT.OTHER;
    case 12:
      return text.startsWith('message_stop', from) ? EVENT.MESSAGE_STOP : EVENT.OTHER;
    case 13:
      if (text.startsWith('message_delta', from)) return EVENT.MESSAGE_DELTA;
      return text.startsWith('message_start', from) ? EVENT.MESSAGE_START : EVENT.OTHER;
    case 18:
      return text.startsWith('content_block_stop', from) ? EVENT.BLOCK_STOP : EVENT.OTHER;
    case 19:
      if (text.startsWith('content_block_delta', from)) return EVENT.BLOCK_DELTA;
      return text.startsWith('content_block_start', from) ? EVENT.BLOCK_START : EVENT.OTHER;
    default:
      return EVENT.OTHER;
  }
}

type Place = 'before' | 'between' | 'block' | 'ending' | 'over';

/** Follows one stream and counts what is out of order. */
export class StreamGrammar {
  #place: Place = 'before';
  #problems = 0;

  /** Events so far that came where they may not. */
  get problems(): number {
    return this.#problems;
  }

  /** Takes the next event of the stream, by its kind. */
  see(kind: number): void {
    switch (kind) {
      case EVENT.BLOCK_DELTA:
        this.#expect(this.#place === 'block');
        return;
      case EVENT.BLOCK_START:
        this.#expect(this.#place === 'between');
        this.#move('block');
        return;
      case EVENT.BLOCK_STOP:
        this.#expect(this.#place === 'block');
        this.#move('between');
        return;
      case EVENT.MESSAGE_START:
        this.#expect(this.#place === 'before');
        this.#move('between');
        return;
      case EVENT.MESSAGE_DELTA:
        this.#expect(this.#place === 'between' || this.#place === 'ending');
        this.#move('ending');
        return;
      case EVENT.MESSAGE_STOP:
        this.#expect(this.#place === 'ending');
        this.#place = 'over';
        return;
      case EVENT.ERROR:
        this.#expect(this.#place !== 'over');
        this.#place = 'over';
        return;
      default:
    }
  }

  #expect(allowed: boolean): void {
    if (!allowed) this.#problems += 1;
  }

  /** Nothing leads back into a message that is over, so that each event behind it counts. */
  #move(place: Place): void {
    if (this.#place !== 'over') this.#place = place;
  }
}
