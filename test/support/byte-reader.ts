/**
 * Reading exact numbers of bytes off a stream, without a byte lost between two reads.
 */
import type { Readable } from 'node:stream';

/** The peer ended before what was asked for had come. */
export class EndedEarly extends Error {
  override readonly name = 'EndedEarly';
  /** What had come instead. */
  readonly got: Buffer;
  constructor(got: Buffer, how: string) {
    super(`the connection ended (${how}) after ${got.length} bytes`);
    this.got = got;
  }
}

/** How a stream ended: FIN, or an error code such as ECONNRESET. */
export type Ending = 'fin' | (string & {});

/** Collects what a stream delivers. One reader a stream, one read at a time. */
export class ByteReader {
  /** Resolves when the stream has ended. */
  readonly ending: Promise<Ending>;
  #held: Buffer = Buffer.alloc(0);
  #ended: Ending | null = null;
  #wake: (() => void) | null = null;

  constructor(stream: Readable) {
    stream.on('data', (piece: Buffer) => {
      this.#held = this.#held.length === 0 ? piece : Buffer.concat([this.#held, piece]);
      this.#stir();
    });
    this.ending = new Promise((resolve) => {
      const end = (how: Ending): void => {
        this.#ended ??= how;
        this.#stir();
        resolve(this.#ended);
      };
      stream.once('end', () => end('fin'));
      stream.once('error', (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
      stream.once('close', () => end('closed'));
    });
  }

  /** Bytes that have come and were not read yet. */
  get waiting(): Buffer {
    return this.#held;
  }

  /** Everything up to and including the mark. */
  through(mark: string): Promise<Buffer> {
    return this.#take((held) => {
      const at = held.indexOf(mark, 0, 'latin1');
      return at < 0 ? -1 : at + mark.length;
    });
  }

  /** So many bytes. */
  exactly(length: number): Promise<Buffer> {
    return this.#take((held) => (held.length >= length ? length : -1));
  }

  /** Whatever has come, at least a byte; null at the end. */
  async some(): Promise<Buffer | null> {
    try {
      return await this.#take((held) => (held.length > 0 ? held.length : -1));
    } catch (cause) {
      if (cause instanceof EndedEarly) return null;
      throw cause;
    }
  }

  /** Everything until the stream ends, however it ends (see `ending`). */
  async rest(): Promise<Buffer> {
    await this.ending;
    const all = this.#held;
    this.#held = Buffer.alloc(0);
    return all;
  }

  async #take(measure: (held: Buffer) => number): Promise<Buffer> {
    for (;;) {
      const length = measure(this.#held);
      if (length >= 0) {
        const taken = this.#held.subarray(0, length);
        this.#held = this.#held.subarray(length);
        return taken;
      }
      if (this.#ended !== null) throw new EndedEarly(this.#held, this.#ended);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  #stir(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }
}
