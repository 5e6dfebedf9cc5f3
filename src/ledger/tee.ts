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
import { LineFile, type LineFileStats } from './line-file.ts';
import { redactJson, redactText } from './redact.ts';

/** One body, as much of it as was kept. */
export interface BodySample {
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
  /** Bytes of the body that were seen. */
  readonly bytes: number;
  readonly truncated: boolean;
  /** Redacted; null where the bytes are no text. */
  readonly body: string | null;
}

export interface TeeOptions {
  /** Directory of the file (`logs` in the home). */
  readonly dir: string;
  /** `ENABLE_BODY_TEE`: without it `on` does nothing. */
  readonly enabled: boolean;
  /** Called once for each episode in which the file can not be written. */
  onFault?(message: string): void;
}

export interface Tee {
  /** Samples are taken at present. Ask before keeping bytes for `sample`. */
  readonly active: boolean;
  /** Starts sampling. Returns false where the environment does not allow it. */
  on(): boolean;
  off(): void;
  /** Keeps a sample, if active. Never throws, never waits. */
  sample(sample: BodySample): void;
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
  return {
    get active() {
      return active;
    },
    on() {
      active = options.enabled;
      return active;
    },
    off() {
      active = false;
    },
    sample(sample) {
      if (!active) return;
      try {
        file.append(JSON.stringify(sampleRecord(sample, Date.now() / 1000)));
      } catch {
        file.drop();
      }
    },
    flush: () => file.flush(),
    close: () => file.close(),
    closeSync: () => file.closeSync(),
    stats: () => file.stats(),
  };
}

/** A sample as it is written. */
export function sampleRecord(sample: BodySample, ts: number): SampleRecord {
  const kept = sample.bytes.subarray(0, TEE_BODY_BYTES_MAX);
  const truncated = sample.truncated || kept.length < sample.bytes.length;
  return {
    ts,
    rid: sample.rid,
    lane: sample.lane,
    direction: sample.direction,
    content_type:
      sample.contentType === null
        ? null
        : redactText(sample.contentType.slice(0, CONTENT_TYPE_CHARS_MAX)),
    bytes: sample.bytes.length,
    truncated,
    body: redactedBody(kept, truncated),
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
