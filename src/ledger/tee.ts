/**
 * The body sampler: the first bytes of bodies, redacted, to `body-samples.jsonl`, for the few cases
 * in which only the bytes explain what happened. Off unless the environment allows it and it was
 * switched on; the file is made with the first sample.
 *
 * Bodies that are no text (compressed ones too) are recorded without their bytes, since nothing could
 * be redacted in them.
 */
import { join } from 'node:path';
import {
  TEE_BODY_BYTES_MAX,
  TEE_FILE_BYTES_MAX,
  TEE_FILES_MAX,
  TEE_QUEUE_BYTES_MAX,
} from '../core/limits.ts';
import { steeringEscaped } from '../core/steering.ts';
import { LineFile, type LineFileStats } from './line-file.ts';
import { redactJson, redactText } from './redact.ts';

/** The first bytes of one body, collected as it passes. */
export class BodyBuffer {
  #pieces: Buffer[] = [];
  #bytes = 0;
  #total = 0;
  #contentType: string | null = null;

  /** Keeps a copy of what is within the bound, so that no larger buffer stays in memory for it. */
  push(bytes: Buffer): void {
    this.#total += bytes.length;
    const room = TEE_BODY_BYTES_MAX - this.#bytes;
    if (room <= 0 || bytes.length === 0) return;
    const piece = Buffer.from(bytes.subarray(0, room));
    this.#pieces.push(piece);
    this.#bytes += piece.length;
  }

  type(contentType: string): void {
    this.#contentType = contentType;
  }

  /** What was kept, for `sample`. */
  taken(): Pick<SampledBody, 'bytes' | 'contentType' | 'truncated'> {
    const bytes = Buffer.concat(this.#pieces);
    return { bytes, contentType: this.#contentType, truncated: this.#total > this.#bytes };
  }
}

/** Both bodies of an exchange. */
export interface ExchangeSamples {
  readonly request: BodyBuffer;
  readonly answer: BodyBuffer;
}

/** One body, as much of it as was kept. */
export interface SampledBody {
  readonly rid: string;
  readonly lane: string;
  readonly direction: 'request' | 'response';
  readonly contentType: string | null;
  /** The first bytes; more than `TEE_BODY_BYTES_MAX` are cut. */
  readonly bytes: Buffer;
  /** The body went on after `bytes`. */
  readonly truncated: boolean;
}

/** A line of `body-samples.jsonl`. */
export interface SampleRecord {
  /** Unix seconds. */
  readonly ts: number;
  readonly rid: string;
  readonly lane: string;
  readonly direction: 'request' | 'response';
  readonly content_type: string | null;
  /** Bytes that were kept of the body, before redaction. */
  readonly bytes: number;
  readonly truncated: boolean;
  /** Redacted; null where the bytes are no text. */
  readonly body: string | null;
}

export interface TeeOptions {
  /** Directory of the file (`logs` in the home). */
  readonly dir: string;
  /**
   * `ENABLE_BODY_TEE` where it is fixed: with false, switching on does nothing. A caller whose
   * configuration can be loaded anew leaves it out and asks the configuration before `set(true)`.
   */
  readonly enabled?: boolean;
  /** Takes out what must not be in a sample, beyond what looks like a secret. */
  hide?(text: string): string;
  /** Called once for each episode in which the file can not be written. */
  onFault?(message: string): void;
}

export interface Tee {
  /** Samples are taken at present. Ask before keeping bytes for `sample`. */
  readonly active: boolean;
  /** Starts sampling. Returns false where the environment does not allow it. */
  on(): boolean;
  off(): void;
  /** `on` or `off`. Returns whether samples are taken. */
  set(on: boolean): boolean;
  /** Places for the bodies of an exchange; open them only while `active`. */
  open(rid: string): ExchangeSamples;
  /** Keeps what the bodies of an exchange left behind, if still active. */
  write(samples: ExchangeSamples, lane: string): void;
  /** Keeps a sample, if active. Never throws, never waits. */
  sample(sample: SampledBody): void;
  flush(): Promise<void>;
  close(): Promise<void>;
  closeSync(): void;
  stats(): LineFileStats;
}

export const SAMPLES_FILE = 'body-samples.jsonl';
const CONTENT_TYPE_CHARS_MAX = 128;
/** What a key is made of: a cut one at the end of a sample would not be known by its shape. */
const CUT_WORD = /[^\s"'{}[\](),;<>]{1,4096}$/;

/** Makes a sampler, switched off. */
export function createTee(options: TeeOptions): Tee {
  let active = false;
  const file = new LineFile({
    path: join(options.dir, SAMPLES_FILE),
    bytesMax: TEE_FILE_BYTES_MAX,
    filesMax: TEE_FILES_MAX,
    queueMax: TEE_QUEUE_BYTES_MAX,
    onFault: (message) => options.onFault?.(message),
  });
  const rids = new WeakMap<ExchangeSamples, string>();
  const set = (on: boolean): boolean => {
    active = on && options.enabled !== false;
    return active;
  };
  const sample = (body: SampledBody): void => {
    if (!active) return;
    try {
      const record = sampleRecord(body, Date.now() / 1000, options.hide);
      file.append(steeringEscaped(JSON.stringify(record)));
    } catch {
      file.drop();
    }
  };
  return {
    get active() {
      return active;
    },
    on: () => set(true),
    off() {
      set(false);
    },
    set,
    sample,
    open(rid) {
      const samples = { request: new BodyBuffer(), answer: new BodyBuffer() };
      rids.set(samples, rid);
      return samples;
    },
    write(samples, lane) {
      const rid = rids.get(samples) ?? '';
      const request = samples.request.taken();
      const answer = samples.answer.taken();
      if (request.bytes.length > 0) sample({ rid, lane, direction: 'request', ...request });
      if (answer.bytes.length > 0) sample({ rid, lane, direction: 'response', ...answer });
    },
    flush: () => file.flush(),
    close: () => file.close(),
    closeSync: () => file.closeSync(),
    stats: () => file.stats(),
  };
}

/** A sample as it is written. */
export function sampleRecord(
  sample: SampledBody,
  ts: number,
  hide: (text: string) => string = (text) => text,
): SampleRecord {
  const kept = sample.bytes.subarray(0, TEE_BODY_BYTES_MAX);
  const truncated = sample.truncated || kept.length < sample.bytes.length;
  const body = redactedBody(kept, truncated);
  return {
    ts,
    rid: sample.rid,
    lane: sample.lane,
    direction: sample.direction,
    content_type:
      sample.contentType === null
        ? null
        : redactText(sample.contentType.slice(0, CONTENT_TYPE_CHARS_MAX)),
    bytes: kept.length,
    truncated,
    body: body === null ? null : hide(body),
  };
}

function redactedBody(bytes: Buffer, truncated: boolean): string | null {
  let text: string;
  try {
    // With `stream` a character cut at the end is no error.
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: truncated });
  } catch {
    return null;
  }
  if (truncated) return redactText(text.replace(CUT_WORD, ''));
  try {
    return JSON.stringify(redactJson(JSON.parse(text)));
  } catch {
    return redactText(text);
  }
}
