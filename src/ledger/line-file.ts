/**
 * A file of lines that never holds anybody up: lines are queued within a bound, joined into whole
 * writes, and kept until the system has taken them. A line that comes alone is written at once; under
 * load lines gather for `LEDGER_GATHER_MS`, since a write costs as much as a small exchange. The file is rotated by size, opened anew where
 * it was moved or removed, and tried again each second where it can not be written; what finds no
 * room meanwhile is counted as dropped.
 *
 * Several processes may write to the same file: it is opened for appending, and a write is made of
 * whole lines. All of it is asynchronous but `closeSync`, which is for the end of the process.
 */
import { strict as assert } from 'node:assert';
import { closeSync, writeSync } from 'node:fs';
import {
  LEDGER_BATCH_BYTES_MAX,
  LEDGER_CHECK_MS,
  LEDGER_GATHER_MS,
  LEDGER_UNCHECKED_BYTES_MAX,
} from '../core/limits.ts';
import { type Batch, Batches } from './batches.ts';
import { codeOf, pruneRotated, rotate } from './files.ts';
import { type Handle, leadsTo, openForLastWrite, openHandle, TORN_END } from './handle.ts';
import { type Line, RecentLines } from './recent-lines.ts';

export interface LineFileOptions {
  readonly path: string;
  /** Size at which the file is rotated. */
  readonly bytesMax: number;
  /** Rotated files kept. */
  readonly filesMax: number;
  /** Bytes that may wait to be written. */
  readonly queueMax: number;
  /** Time between looks for a moved file, and between tries, ms. */
  readonly checkMs?: number;
  /** Called once for each episode in which the file can not be written, and where it cost lines at the end. */
  onFault(message: string): void;
  /** Called once at the end of such an episode. */
  onMended?(message: string): void;
  /** Called where the file ended in half a line, which now stands as a line of its own. */
  onTorn?(bytes: number): void;
}

/** Facts for `status`. */
export interface LineFileStats {
  readonly path: string;
  readonly written: number;
  readonly dropped: number;
  /** Why lines can not be written at present, or null. */
  readonly fault: string | null;
}

interface Waiter {
  /** Resolved once this many lines were written. */
  readonly written: number;
  readonly resolve: () => void;
}

/** See the module. A class, since every record of the proxy passes here. */
export class LineFile {
  readonly #options: LineFileOptions;
  readonly #checkMs: number;
  readonly #queue: Line[] = [];
  readonly #batches = new Batches();
  readonly #recent: RecentLines;
  /** Bytes queued or under way. */
  #queuedBytes = 0;
  /** Lines of the write under way: the system may still take them. */
  #underWay = 0;
  #written = 0;
  #dropped = 0;
  #fault: string | null = null;
  /** Lines dropped up to the last write that went well. */
  #droppedBefore = 0;
  #rotationFault = false;
  #handle: Handle | null = null;
  #size = 0;
  #rotateAtBytes: number;
  #checkedAtMs = 0;
  #reopenAsked = false;
  /** The file that was open last, or null. */
  #knownInode: number | null = null;
  #pumping = false;
  #closed = false;
  #retry: NodeJS.Timeout | null = null;
  /** When the last write began, `performance.now()`. */
  #wroteAtMs = Number.NEGATIVE_INFINITY;
  /** Runs while lines gather. */
  #gathering: NodeJS.Timeout | null = null;
  /** Looks once more after the last line. */
  #lastLook: NodeJS.Timeout | null = null;
  readonly #waiters: Waiter[] = [];

  constructor(options: LineFileOptions) {
    assert(options.bytesMax > 0 && options.filesMax >= 0 && options.queueMax > 0);
    this.#options = options;
    this.#checkMs = options.checkMs ?? LEDGER_CHECK_MS;
    this.#rotateAtBytes = options.bytesMax;
    this.#recent = new RecentLines(options.queueMax);
  }

  /** Opens the file now rather than with the first line. */
  start(): void {
    this.#wake();
  }

  /** Queues a line, given without its newline; past the bound it is counted as dropped. */
  append(line: string): void {
    const text = `${line}\n`;
    const bytes = Buffer.byteLength(text);
    if (this.#closed || this.#queuedBytes + bytes > this.#options.queueMax) {
      this.#dropped += 1;
      return;
    }
    this.#queue.push({ text, bytes });
    this.#queuedBytes += bytes;
    // While the file can not be written, the timer asks again, not every line.
    if (this.#retry === null && !this.#pumping) this.#wakeSoon();
  }

  /** Counts a line that could not even be made. */
  drop(): void {
    this.#dropped += 1;
  }

  /** Opens the file anew before the next write (SIGHUP, after somebody else rotated it). */
  reopen(): void {
    if (this.#closed) return;
    this.#reopenAsked = true;
    this.#wake();
  }

  stats(): LineFileStats {
    return {
      path: this.#options.path,
      written: this.#written,
      dropped: this.#dropped,
      fault: this.#fault,
    };
  }

  /** Resolves once everything queued now is written, or once an attempt has failed. */
  flush(): Promise<void> {
    const lines = this.#queue.length + this.#underWay;
    if (lines === 0 && !this.#pumping) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiters.push({ written: this.#written + lines, resolve });
      this.#wake();
    });
  }

  /** Writes what is queued and closes; what can not be written then is dropped. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.flush();
    if (this.#recent.bytes > 0) await this.#lookAgain();
    this.#stopRetry();
    if (this.#queue.length > 0) this.#lost();
    await this.#closeHandle();
  }

  /** The same, at once, for the end of the process. A write under way is left to the system. */
  closeSync(): void {
    if (this.#closed && this.#queue.length === 0) return;
    this.#closed = true;
    this.#stopRetry();
    this.#stopGathering();
    if (this.#queue.length === 0) return;
    let fd = this.#handle?.fd ?? null;
    const opened = fd === null;
    try {
      fd ??= openForLastWrite(this.#options.path);
      for (let line = this.#queue[0]; line !== undefined; line = this.#queue[0]) {
        writeSync(fd, line.text);
        this.#queue.shift();
        this.#queuedBytes -= line.bytes;
        this.#written += 1;
      }
    } catch (error) {
      this.#failed(error);
      this.#lost();
    } finally {
      if (opened && fd !== null) closeSync(fd);
    }
  }

  /** At once where nothing was written lately; else lines gather first. */
  #wakeSoon(): void {
    if (this.#gathering !== null) return;
    const left = LEDGER_GATHER_MS - (performance.now() - this.#wroteAtMs);
    if (left <= 0) this.#wake();
    // Not unref'd: who ends without closing still has its lines written.
    else this.#gathering = setTimeout(() => this.#wake(), left);
  }

  #wake(): void {
    this.#stopGathering();
    if (this.#pumping) return;
    this.#stopRetry();
    this.#pumping = true;
    void this.#pump();
  }

  /** Writes until nothing is queued or a write fails. Never rejects. */
  async #pump(): Promise<void> {
    try {
      do {
        await this.#makeReady();
        await this.#writeBatch();
        this.#settleWaiters(false);
      } while (this.#isWanted());
    } catch (error) {
      await this.#closeHandle();
      this.#failed(error);
    }
    this.#pumping = false;
    this.#settleWaiters(true);
    if (this.#closed) return;
    if (this.#queue.length > 0) {
      if (this.#fault === null) this.#wakeSoon();
      else this.#retry = setTimeout(() => this.#wake(), this.#checkMs).unref();
    } else if (this.#recent.bytes > 0) {
      this.#lastLook ??= setTimeout(() => void this.#lookAgain(), this.#checkMs).unref();
    }
  }

  /** Lines wait that may not gather: somebody waits for them, or they fill a write already. */
  #isWanted(): boolean {
    if (this.#queue.length === 0) return false;
    return this.#waiters.length > 0 || this.#queuedBytes >= LEDGER_BATCH_BYTES_MAX;
  }

  /** Whether what was written last is where it belongs; else it is written again. */
  #lookAgain(): Promise<void> {
    this.#checkedAtMs = Number.NEGATIVE_INFINITY;
    return new Promise((resolve) => {
      this.#waiters.push({ written: Number.POSITIVE_INFINITY, resolve });
      this.#wake();
    });
  }

  /** The right file is open and below its size. @throws the system's error */
  async #makeReady(): Promise<void> {
    const now = performance.now();
    const due =
      now - this.#checkedAtMs >= this.#checkMs || this.#recent.bytes >= LEDGER_UNCHECKED_BYTES_MAX;
    if (this.#handle !== null && (due || this.#reopenAsked)) await this.#check();
    this.#handle ??= await this.#open();
    if (this.#size >= this.#rotateAtBytes) await this.#rotate();
    this.#handle ??= await this.#open();
  }

  /** Lets go of a file that was moved away, and learns what others have added to it. */
  async #check(): Promise<void> {
    if (this.#handle === null) return;
    const found = this.#reopenAsked ? null : await leadsTo(this.#options.path, this.#handle);
    const isRemoved = found === null && (await this.#handle.isRemoved());
    this.#checkedAtMs = performance.now();
    this.#reopenAsked = false;
    if (isRemoved) this.#writeAgain(this.#recent.take());
    else this.#recent.clear();
    if (found === null) await this.#closeHandle();
    else this.#size = found.size;
  }

  #writeAgain(lines: readonly Line[]): void {
    this.#queue.unshift(...lines);
    this.#written -= lines.length;
    for (const line of lines) this.#queuedBytes += line.bytes;
  }

  async #open(): Promise<Handle> {
    const handle = await openHandle(this.#options.path, this.#knownInode);
    this.#knownInode = handle.stats.ino;
    this.#reopenAsked = false;
    this.#checkedAtMs = performance.now();
    this.#size = handle.stats.size;
    this.#rotateAtBytes = this.#options.bytesMax;
    if (handle.tornBytes !== null) this.#options.onTorn?.(handle.tornBytes);
    return handle;
  }

  /** A file that can not be rotated is written on: a large ledger is better than none. */
  async #rotate(): Promise<void> {
    const { path, filesMax, bytesMax } = this.#options;
    try {
      // Another process may have rotated it already; then the path leads to its new file.
      await this.#check();
      if (this.#handle === null || this.#size < bytesMax) return;
      await rotate(path, Date.now());
      await this.#closeHandle();
      await pruneRotated(path, filesMax);
      this.#rotationFault = false;
    } catch (error) {
      this.#rotateAtBytes = this.#size + bytesMax;
      if (!this.#rotationFault) this.#report(`${path} can not be rotated (${codeOf(error)})`);
      this.#rotationFault = true;
    }
  }

  /** @throws where not all of it could be written; the rest is back in the queue */
  async #writeBatch(): Promise<void> {
    const handle = this.#handle;
    assert(handle !== null, 'a file is open before it is written');
    const batch = this.#batches.take(this.#queue);
    if (batch.lines.length === 0) return;
    this.#underWay = batch.lines.length;
    this.#wroteAtMs = performance.now();
    const { bytes, error } = await handle.write(batch.piece);
    this.#underWay = 0;
    this.#size += bytes;
    this.#settleBatch(batch, bytes);
    if (error !== null) throw error;
    if (this.#fault !== null) this.#mended();
    this.#droppedBefore = this.#dropped;
  }

  #settleBatch({ lines, piece }: Batch, bytes: number): void {
    let left = bytes;
    let done = 0;
    for (const line of lines) {
      if (left < line.bytes) break;
      left -= line.bytes;
      done += 1;
      this.#queuedBytes -= line.bytes;
    }
    this.#recent.add(piece.subarray(0, bytes - left));
    this.#written += done;
    if (done === lines.length) return;
    const rest = lines.slice(done);
    const cut = rest[0];
    if (cut !== undefined && left > 0) {
      // Others may have written behind the fragment, so it is ended, not continued.
      const whole = left === cut.bytes - 1;
      rest[0] = whole
        ? { text: '\n', bytes: 1 }
        : { text: TORN_END + cut.text, bytes: cut.bytes + TORN_END.length };
      this.#queuedBytes += rest[0].bytes - cut.bytes;
    }
    this.#queue.unshift(...rest);
  }

  #settleWaiters(all: boolean): void {
    for (let i = this.#waiters.length - 1; i >= 0; i -= 1) {
      const waiter = this.#waiters[i];
      if (waiter === undefined || !(all || this.#written >= waiter.written)) continue;
      this.#waiters.splice(i, 1)[0]?.resolve();
    }
  }

  #failed(error: unknown): void {
    const first = this.#fault === null;
    this.#fault = `${this.#options.path} can not be written (${codeOf(error)})`;
    if (first) this.#report(this.#fault);
  }

  #mended(): void {
    this.#fault = null;
    const lost = this.#dropped - this.#droppedBefore;
    const message = `${this.#options.path} is written again; lines lost meanwhile: ${lost}`;
    this.#report(message, this.#options.onMended ?? (() => {}));
  }

  #report(message: string, to = this.#options.onFault): void {
    try {
      to(message);
    } catch {
      // A log that fails must not stop the ledger that reports to it.
    }
  }

  /** What waits when the file closes. */
  #lost(): void {
    this.#dropped += this.#queue.length;
    const lost = this.#dropped - this.#droppedBefore;
    this.#report(`${this.#options.path} could not be written to its end; lines lost: ${lost}`);
    for (const line of this.#queue) this.#queuedBytes -= line.bytes;
    this.#queue.length = 0;
  }

  async #closeHandle(): Promise<void> {
    const handle = this.#handle;
    this.#handle = null;
    await handle?.close();
  }

  #stopGathering(): void {
    if (this.#gathering !== null) clearTimeout(this.#gathering);
    this.#gathering = null;
  }

  #stopRetry(): void {
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = null;
    if (this.#lastLook !== null) clearTimeout(this.#lastLook);
    this.#lastLook = null;
  }
}
