/**
 * What steers the twin: directives in a prompt and fault plans. Read, or refused by their own error
 * that says why.
 */
import assert from 'node:assert/strict';
import { DirectiveError, readDirectives } from '../../../src/twin/control.ts';
import { FaultPlanError, parsePlan } from '../../../src/twin/plan.ts';
import { spoilsJsonParse } from '../oracles/v8-fault.ts';
import { seedsOf, type Target } from '../target.ts';

export const twinPlanTarget: Target = {
  name: 'twin-plan',
  oracle: 'a plan, or a FaultPlanError with a message and a mend for each problem',
  covers: ['src/twin/plan.ts', 'src/twin/plan-schema.ts'],
  seeds: seedsOf(
    'rules:\n  - match: { model: "*haiku*" }\n    fault: { kind: status, status: 429 }\n    rate: 0.5\n',
    'rules: [{ fault: { kind: stall_mid_stream, after_events: 2, ms: 10 } }]\nseed: 7\n',
    'rules: [{ fault: { kind: nothing } }, 1]\n',
  ),
  dictionary: [
    ...[
      'rules: ',
      'fault: ',
      'kind: ',
      'match: ',
      'rate: ',
      'status',
      'drip',
      'split',
      'sizes: [1]',
    ],
    ...['*a', '&a ', '<<: ', '__proto__: ', 'constructor: ', '- ', '{', '}', '[', ']', 'ms: ', '"'],
  ],
  bytesMax: 1024,
  async check(input) {
    try {
      await parsePlan(input.toString('utf8'));
    } catch (error) {
      if (!(error instanceof FaultPlanError)) throw error;
      assert(error.problems.length > 0, 'a refusal without a problem');
      for (const { message, mend } of error.problems) {
        assert(message !== '' && mend !== '', 'a problem without its fault or its mend');
      }
    }
  },
};

export const twinDirectivesTarget: Target = {
  name: 'twin-directives',
  oracle: 'directives, none, or a DirectiveError',
  covers: ['src/twin/control.ts'],
  seeds: seedsOf(
    'hello',
    '[twin: say "hello"] [twin: think 10] [twin: tokens 50] [twin: then] [twin: say "bye"]',
    '[twin: tool Task {"prompt":"[twin: say \\"x\\"]"}]',
    '[twin: status 429 code=1302 retry-after=3 times=1]',
  ),
  dictionary: [
    '[twin: ',
    ']',
    'say ',
    'tool ',
    'then',
    'status ',
    'times=',
    '{"a":1}',
    '"',
    '\\',
    '=',
  ],
  bytesMax: 1024,
  check(input, random) {
    if (spoilsJsonParse(input)) return;
    try {
      readDirectives(input.toString('utf8'), random.int(3));
    } catch (error) {
      if (!(error instanceof DirectiveError)) throw error;
      assert(error.message !== '', 'a refusal without a word');
    }
  },
};
