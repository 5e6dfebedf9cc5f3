/**
 * The tap of an answer that is one JSON object: a message, or an error. The body is scanned as it
 * passes, and only the few members that the ledger wants are parsed.
 *
 * An answer to `count_tokens` carries no usage: what it counts was not spent.
 */
import { createKeyScanner, type KeyScan, wantKeys } from '../json/scanner.ts';
import { TAP_VALUE_BYTES_MAX } from '../limits.ts';
import {
  type AnswerFacts,
  type AnswerTap,
  emptyFacts,
  type FactsDraft,
  parseJson,
  readError,
  readModel,
  readUsage,
} from './facts.ts';

const KEYS = wantKeys('type', 'model', 'usage', 'error', 'code');

/** A tap for `application/json`; anything else is read too and yields nothing. */
export function createJsonTap(): AnswerTap {
  const scanner = createKeyScanner(KEYS, { valueBytesMax: TAP_VALUE_BYTES_MAX });
  return {
    push: (data) => scanner.push(data),
    finish: () => factsOf(scanner.finish()),
  };
}

/** A truncated object still says what it said: usage that was read is reported, `sawStop` is not. */
function factsOf(scan: KeyScan): AnswerFacts {
  const facts = emptyFacts();
  facts.sawStop = scan.complete;
  readModel(facts, memberOf(scan, 'model', facts));
  readUsage(facts, memberOf(scan, 'usage', facts));
  const error = memberOf(scan, 'error', facts);
  const code = memberOf(scan, 'code', facts);
  const isError = memberOf(scan, 'type', facts) === 'error';
  if (isError || (error !== undefined && error !== null && error !== false)) {
    readError(facts, { error, code });
  }
  return facts;
}

/** The value of a captured key; undefined where it did not come or was over the bound. */
function memberOf(scan: KeyScan, key: string, facts: FactsDraft): unknown {
  const value = scan.values.get(key);
  switch (value?.kind) {
    case undefined:
      return undefined;
    case 'string':
      return value.value;
    case 'literal':
      return parseJson(value.text);
    case 'object':
    case 'array':
      if (value.bytes !== null) return parseJson(value.bytes.toString('utf8'));
      break;
    case 'too_long':
      break;
  }
  facts.lost = true;
  return undefined;
}
