/**
 * Takes the credentials that the program itself was given out of what is recorded, whatever their shape:
 * an upstream may tell its key where the name of a model or an id belongs, and the redaction knows shapes.
 */
import { HIDDEN_SECRETS_MAX } from '../core/limits.ts';
import type { Secret } from '../core/secret.ts';
import type { AnomalyRecord, UsageRecord } from './record.ts';

export interface Hiding {
  /** Hides these from now on, and the former ones too: exchanges that carry them may be open. */
  know(secrets: readonly Secret[]): void;
  text(text: string): string;
  /** The same record where nothing is to be hidden. */
  usage(record: UsageRecord): UsageRecord;
  anomaly(record: AnomalyRecord): AnomalyRecord;
}

/** Texts of a record that come from outside. */
const TEXTS = ['model', 'model_sent', 'model_served', 'path', 'request_id'] as const;

/** One that knows no credential yet. */
export function createHiding(): Hiding {
  let known: readonly Secret[] = [];
  const hidden = (text: string): string =>
    known.reduce((rest, secret) => secret.hiddenIn(rest), text);
  return {
    know: (secrets) => {
      const fresh = secrets.filter((secret) => !known.some((one) => one.isSame(secret)));
      known = [...known, ...fresh].slice(-HIDDEN_SECRETS_MAX);
    },
    text: hidden,
    usage: (record) => {
      let clear = record;
      for (const name of TEXTS) {
        const text = record[name];
        if (text === null) continue;
        const shown = hidden(text);
        if (shown !== text) clear = { ...clear, [name]: shown };
      }
      return clear;
    },
    anomaly: (record) => {
      const detail = hidden(record.detail);
      return detail === record.detail ? record : { ...record, detail };
    },
  };
}
