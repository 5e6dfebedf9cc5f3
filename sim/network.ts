/**
 * A simulated network: connections of two directions, each a row of segments under way with a bounded
 * buffer, after the parts of TCP (RFC 9293) that a program can notice.
 *
 * - What is written arrives in order, split and delayed at random; a full buffer takes no more.
 * - FIN arrives behind the bytes. RST too, but it may take along what the peer has not read yet.
 * - Closing with unread bytes sends RST, and so does every byte to a peer that has closed.
 * - A peer that does not read does not notice.
 */
import type { Random } from './random.ts';
import type { Scheduler } from './scheduler.ts';

export interface NetworkOptions {
  readonly scheduler: Scheduler;
  readonly random: Random;
  /** Longest delay of one segment, ms. */
  readonly latencyMs: number;
  /** Bytes that one direction takes before somebody reads. */
  readonly bufferBytes: number;
}

const SEGMENT_BYTES_MAX = 16 * 1024;
/** RST takes what was not read along with this probability: some systems keep it, some do not. */
const LOSS_BY_RESET = 0.5;

/** One direction of a connection. */
export class Flow {
  readonly #options: NetworkOptions;
  /** The other direction of the same connection. */
  opposite: Flow | null = null;
  /** The receiver has something to look at. */
  onArrival: () => void = () => undefined;
  /** The sender may write again, or should look at what happened. */
  onRoom: () => void = () => undefined;
  /** Bytes that the sender has handed over, and those that the receiver has taken. */
  bytesAccepted = 0;
  bytesTaken = 0;
  /** RST has arrived and nothing is left to be read before it. */
  isReset = false;
  /** The receiver has closed: what is sent now is answered by RST. */
  isClosed = false;
  #arrived: Buffer[] = [];
  #arrivedBytes = 0;
  #outstanding = 0;
  #lastAt = 0;
  #finSent = false;
  #finArrived = false;
  #finTaken = false;
  #isResetSent = false;
  #owesRoom = false;

  constructor(options: NetworkOptions) {
    this.#options = options;
  }

  /* ---- the sender ---- */

  /** Takes as much as there is room for, and says how much that was. */
  accept(bytes: Buffer): number {
    const room = this.#options.bufferBytes - this.#outstanding;
    const taken = Math.min(room, bytes.length);
    if (taken < bytes.length) this.#owesRoom = true;
    if (taken === 0) return 0;
    this.#outstanding += taken;
    this.bytesAccepted += taken;
    let at = 0;
    while (at < taken) {
      const size = Math.min(taken - at, this.#segmentBytes(taken));
      const piece = bytes.subarray(at, at + size);
      at += size;
      this.#travel(() => this.#deliver(piece));
    }
    return taken;
  }

  fin(): void {
    if (this.#finSent || this.#isResetSent) return;
    this.#finSent = true;
    this.#travel(() => {
      this.#finArrived = true;
      this.onArrival();
    });
  }

  /** Sends RST; what is under way may be lost with it. */
  reset(): void {
    if (this.#isResetSent) return;
    this.#isResetSent = true;
    this.#travel(() => this.#broken());
  }

  /** The sender has closed: RST where it left bytes unread, else FIN. */
  release(unreadBytes: number): void {
    if (unreadBytes > 0) this.reset();
    else this.fin();
  }

  /** A write would fail: RST came back. */
  get isRefused(): boolean {
    return this.opposite?.isReset === true || this.#isResetSent;
  }

  get hasFinBeenSent(): boolean {
    return this.#finSent;
  }

  /* ---- the receiver ---- */

  /** There is something to read: bytes, FIN or RST. */
  get hasNews(): boolean {
    return this.#arrivedBytes > 0 || this.isReset || (this.#finArrived && !this.#finTaken);
  }

  get unreadBytes(): number {
    return this.#arrivedBytes;
  }

  /** RST is what a read would find now. */
  get isBroken(): boolean {
    return this.isReset && this.#arrivedBytes === 0;
  }

  /** Up to so many bytes, or null where none have arrived. */
  take(bytesMax: number): Buffer | null {
    if (this.#arrivedBytes === 0) return null;
    let bytes = this.#arrived[0] as Buffer;
    if (this.#arrived.length > 1 && bytes.length < bytesMax) {
      bytes = Buffer.concat(this.#arrived);
      this.#arrived = [bytes];
    }
    const taken = bytes.subarray(0, bytesMax);
    if (taken.length === bytes.length) this.#arrived.shift();
    else this.#arrived[0] = bytes.subarray(taken.length);
    this.#arrivedBytes -= taken.length;
    this.bytesTaken += taken.length;
    this.#free(taken.length);
    return taken;
  }

  /** True once, when the sender's FIN is what comes next. */
  takeFin(): boolean {
    if (!this.#finArrived || this.#finTaken || this.#arrivedBytes > 0) return false;
    this.#finTaken = true;
    return true;
  }

  /** Nobody reads any more. */
  close(): void {
    this.isClosed = true;
  }

  /* ---- under way ---- */

  #segmentBytes(bytes: number): number {
    const { random } = this.#options;
    if (bytes > SEGMENT_BYTES_MAX) return SEGMENT_BYTES_MAX;
    return random.chance(0.7) ? bytes : random.between(1, bytes);
  }

  #travel(run: () => void): void {
    const { scheduler, random, latencyMs } = this.#options;
    const at = Math.max(this.#lastAt, scheduler.now + random.float() * latencyMs);
    this.#lastAt = at;
    scheduler.after(at - scheduler.now, run);
  }

  #deliver(piece: Buffer): void {
    if (this.isReset) return;
    if (this.isClosed) {
      this.#free(piece.length);
      this.opposite?.reset();
      return;
    }
    this.#arrived.push(piece);
    this.#arrivedBytes += piece.length;
    this.onArrival();
  }

  #broken(): void {
    if (this.isReset) return;
    this.isReset = true;
    if (this.#options.random.chance(LOSS_BY_RESET)) {
      this.#arrived = [];
      this.#arrivedBytes = 0;
    }
    this.onArrival();
    // The receiver's own writer finds out by writing.
    this.opposite?.onRoom();
  }

  #free(bytes: number): void {
    this.#outstanding -= bytes;
    if (!this.#owesRoom) return;
    this.#owesRoom = false;
    this.#options.scheduler.after(this.#options.random.float() * this.#options.latencyMs, () =>
      this.onRoom(),
    );
  }
}

/** Two flows that know each other. */
export function createLink(options: NetworkOptions): { readonly there: Flow; readonly back: Flow } {
  const there = new Flow(options);
  const back = new Flow(options);
  there.opposite = back;
  back.opposite = there;
  return { there, back };
}
