/** All targets of the fuzzer. */
import type { Target } from '../target.ts';
import { answerFieldsTarget } from './answer-fields.ts';
import { answerReaderTarget } from './answer-reader.ts';
import { authorityTarget } from './authority.ts';
import { configTarget } from './config.ts';
import { http1Target } from './http1.ts';
import { jsonCutterTarget, jsonScannerTarget } from './json.ts';
import { ledgerTarget } from './ledger.ts';
import { redactTarget } from './redact.ts';
import { requestFieldsTarget } from './request-fields.ts';
import { retryAfterTarget } from './retry-after.ts';
import { jsonTapTarget, sseTapTarget } from './taps.ts';
import { twinDirectivesTarget, twinPlanTarget } from './twin.ts';

export const TARGETS: readonly Target[] = [
  jsonScannerTarget(),
  jsonCutterTarget(),
  sseTapTarget(),
  jsonTapTarget(),
  answerReaderTarget,
  authorityTarget(),
  requestFieldsTarget,
  answerFieldsTarget,
  retryAfterTarget,
  configTarget,
  ledgerTarget,
  redactTarget,
  http1Target,
  twinPlanTarget,
  twinDirectivesTarget,
];
