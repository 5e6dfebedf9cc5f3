import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from '../../../test/support/properties.ts';
import { applyEdits, type Edit, type EditPlan } from './cutter.ts';
import { createKeyScanner, wantKeys } from './scanner.ts';
import { editsOf } from './testing/places.ts';
import {
  anyNode,
  anyText,
  choices,
  chooser,
  isObject,
  mutated,
  type Node,
  objectWith,
  parsed,
  spell,
} from './testing/texts.ts';

const ATTRIBUTION = 'x-anthropic-billing-header:';
const ALL: EditPlan = { model: 'glm-4.5-air', dropUserId: true, dropAttribution: true };

function edited(body: Buffer, plan: EditPlan): Buffer | null {
  const edits = editsOf([body], plan);
  return edits === null ? null : Buffer.concat(applyEdits([body], edits));
}

function editedText(text: string, plan: EditPlan = ALL): string | null {
  return edited(Buffer.from(text), plan)?.toString('utf8') ?? null;
}

describe('the cutter', () => {
  const user = '"user_id":"{\\"device_id\\":\\"d\\"}"';
  const block = `{"type":"text","text":"${ATTRIBUTION} cc_version=2"}`;
  const cases: readonly (readonly [name: string, body: string, expected: string])[] = [
    [
      'puts the model in place of the one asked for',
      '{"model":"haiku"}',
      '{"model":"glm-4.5-air"}',
    ],
    [
      'replaces every duplicate of the model, however its key is spelt',
      '{"model":"a", "mod\\u0065l" : "b" ,"x":{"model":"c"}}',
      '{"model":"glm-4.5-air", "mod\\u0065l" : "glm-4.5-air" ,"x":{"model":"c"}}',
    ],
    ['leaves a model that is no string', '{"model":{"a":"haiku"}}', '{"model":{"a":"haiku"}}'],
    ['adds no model where there is none', '{"max_tokens":1}', '{"max_tokens":1}'],
    [
      'replaces a model that is longer than the scanner reads',
      `{"model":"${'m'.repeat(5000)}"}`,
      '{"model":"glm-4.5-air"}',
    ],
    ['removes a sole user_id', `{"metadata":{ ${user} }}`, '{"metadata":{  }}'],
    ['removes a first user_id', `{"metadata":{ ${user} , "a":1}}`, '{"metadata":{ "a":1}}'],
    ['removes a last user_id', `{"metadata":{"a":1 , ${user} }}`, '{"metadata":{"a":1 }}'],
    [
      'removes a user_id in the middle',
      `{"metadata":{"a":1, ${user} ,"b":2}}`,
      '{"metadata":{"a":1 ,"b":2}}',
    ],
    [
      'removes every duplicate of user_id, however it is spelt',
      `{"metadata":{${user},"user\\u005fid":[1,{"a":"]"}],"a":1,"user_id":2,"user_id":null}}`,
      '{"metadata":{"a":1}}',
    ],
    [
      'removes nothing but duplicates of user_id',
      '{"metadata":{"user_id":1,"user_id":2}}',
      '{"metadata":{}}',
    ],
    [
      'removes user_id from every duplicate of metadata',
      '{"metadata":{"user_id":1},"metadata":{"a":{"user_id":2}}}',
      '{"metadata":{},"metadata":{"a":{"user_id":2}}}',
    ],
    ['leaves metadata that is no object', '{"metadata":["user_id"]}', '{"metadata":["user_id"]}'],
    [
      'leaves a user_id elsewhere',
      '{"user_id":1,"x":{"user_id":2}}',
      '{"user_id":1,"x":{"user_id":2}}',
    ],
    ['removes a sole attribution block', `{"system":[ ${block} ]}`, '{"system":[  ]}'],
    ['removes a first attribution block', `{"system":[${block}, {"a":1}]}`, '{"system":[{"a":1}]}'],
    ['removes a last attribution block', `{"system":["a", ${block}]}`, '{"system":["a"]}'],
    [
      'removes an attribution block in the middle',
      `{"system":[1 ,${block} , [2]]}`,
      '{"system":[1 , [2]]}',
    ],
    [
      'removes the first attribution block only',
      `{"system":[{"text":"a"},${block},${block}]}`,
      `{"system":[{"text":"a"},${block}]}`,
    ],
    [
      'reads the text of an attribution block through its escapes',
      '{"system":[{"te\\u0078t":"\\u0078-anthropic\\u002dbilling-header: a"},{}]}',
      '{"system":[{}]}',
    ],
    [
      'goes by the last of duplicate texts, as a parser does',
      `{"system":[{"text":"${ATTRIBUTION}","text":"a"},{"text":"a","text":"${ATTRIBUTION}"}]}`,
      `{"system":[{"text":"${ATTRIBUTION}","text":"a"}]}`,
    ],
    [
      'leaves a block that only mentions the header',
      `{"system":[{"text":" ${ATTRIBUTION}"},{"text":"x-anthropic-billing"}]}`,
      `{"system":[{"text":" ${ATTRIBUTION}"},{"text":"x-anthropic-billing"}]}`,
    ],
    [
      'leaves a system that is a string',
      `{"system":"${ATTRIBUTION} a"}`,
      `{"system":"${ATTRIBUTION} a"}`,
    ],
    [
      'leaves the attribution elsewhere',
      `{"messages":[${block}],"x":{"system":[${block}]}}`,
      `{"messages":[${block}],"x":{"system":[${block}]}}`,
    ],
    ['keeps a byte order mark', '\ufeff{"model":"a"}', '\ufeff{"model":"glm-4.5-air"}'],
  ];
  for (const [name, body, expected] of cases) {
    it(name, () => assert.equal(editedText(body), expected));
  }

  it('makes no edit that was not asked for', () => {
    const body = Buffer.from(`{"model":"a","system":[${block}],"metadata":{${user}}}`);
    const none = { model: null, dropUserId: false, dropAttribution: false };
    assert.deepEqual(editsOf([body], none), []);
    assert.equal(editsOf([body], { ...none, model: 'm' })?.length, 1);
    assert.equal(editsOf([body], { ...none, dropUserId: true })?.length, 1);
    assert.equal(editsOf([body], { ...none, dropAttribution: true })?.length, 1);
  });

  it('escapes the model that it puts in', () => {
    const body = Buffer.from('{"model":"a"}');
    const model = 'q"\\\n\u00e9';
    assert.deepEqual(parsed(edited(body, { ...ALL, model }) ?? Buffer.alloc(0)), { model });
  });

  it('copies nothing: what it leaves are slices of the body', () => {
    const body = Buffer.from('{"model":"a","b":1}');
    const slices = applyEdits([body], editsOf([body], ALL) ?? []);
    assert.equal(slices[0]?.buffer, body.buffer);
    assert.equal(slices[2]?.buffer, body.buffer);
    assert.deepEqual(applyEdits([body], []), [body]);
  });

  const refused = ['', '[]', '{"model":"a"', '{"model":"a"}}', '{"model":"\\x"}', 'null'];
  const unreadable = [
    '{"metadata":{"\\x":1}}',
    '{"system":[{"text":"\\x"}]}',
    '{"system":[{"\\x":1}]}',
  ];
  for (const body of [...refused, ...unreadable]) {
    it(`plans nothing for a body that can not be read: ${body}`, () => {
      assert.equal(editedText(body), null);
    });
  }
});

const named = (list: readonly string[]): fc.Arbitrary<string> =>
  fc.oneof({ arbitrary: fc.constantFrom(...list), weight: 2 }, { arbitrary: anyText, weight: 1 });

const text: fc.Arbitrary<Node> = anyText.chain((tail) =>
  fc.constantFrom(ATTRIBUTION, '').map((head): Node => ({ t: 'string', value: head + tail })),
);

const metadata: fc.Arbitrary<Node> = fc
  .array(fc.tuple(named(['user_id', 'a']), anyNode), { maxLength: 5 })
  .map((members) => ({ t: 'object', members }));

const system: fc.Arbitrary<Node> = fc
  .array(
    fc.oneof(
      fc
        .array(fc.tuple(named(['text', 'type']), fc.oneof(text, anyNode)), { maxLength: 3 })
        .map((members): Node => ({ t: 'object', members })),
      anyNode,
    ),
    { maxLength: 4 },
  )
  .map((entries) => ({ t: 'array', entries }));

const anyBody: fc.Arbitrary<Node> = fc
  .array(
    fc.oneof(
      fc.tuple(fc.constant('model'), fc.oneof(text, anyNode)),
      fc.tuple(fc.constant('metadata'), fc.oneof(metadata, anyNode)),
      fc.tuple(fc.constant('system'), fc.oneof(system, anyNode)),
      fc.tuple(anyText, anyNode),
    ),
    { maxLength: 6 },
  )
  .map((members) => ({ t: 'object', members }));

const anyPlan: fc.Arbitrary<EditPlan> = fc.record({
  model: fc.option(anyText),
  dropUserId: fc.boolean(),
  dropAttribution: fc.boolean(),
});

/** The edits made on a parsed body. */
function editedValue(body: Record<string, unknown>, plan: EditPlan): Record<string, unknown> {
  const value = structuredClone(body);
  if (plan.model !== null && typeof value['model'] === 'string') value['model'] = plan.model;
  if (plan.dropUserId && isObject(value['metadata'])) delete value['metadata']['user_id'];
  if (plan.dropAttribution && Array.isArray(value['system'])) {
    const entries: unknown[] = value['system'];
    const index = entries.findIndex((entry) => {
      const found = isObject(entry) && Object.hasOwn(entry, 'text') ? entry['text'] : null;
      return typeof found === 'string' && found.startsWith(ATTRIBUTION);
    });
    if (index >= 0) entries.splice(index, 1);
  }
  return value;
}

function assertOrdered(body: Buffer, edits: readonly Edit[]): void {
  let at = 0;
  for (const { start, end } of edits) {
    assert(start >= at && end > start && end <= body.length);
    at = end;
  }
}

describe('the cutter against JSON.parse', () => {
  it('makes exactly the edits asked for, however the body is spelt', () => {
    const property = fc.property(anyBody, choices, anyPlan, (node, spelling, plan) => {
      const body = Buffer.from(spell(node, chooser(spelling)));
      const value = parsed(body);
      assert(isObject(value));
      const edits = editsOf([body], plan);
      assert(edits !== null);
      assertOrdered(body, edits);
      const after = Buffer.concat(applyEdits([body], edits));
      assert.deepEqual(parsed(after), editedValue(value, plan));
    });
    fc.assert(property, { numRuns: 3000 });
  });

  it('edits a body in pieces as it edits it whole', () => {
    const size = fc.integer({ min: 1, max: 40 });
    const property = fc.property(anyBody, choices, size, (node, spelling, bytes) => {
      const body = Buffer.from(spell(node, chooser(spelling)));
      const pieces: Buffer[] = [];
      for (let at = 0; at < body.length; at += bytes) pieces.push(body.subarray(at, at + bytes));
      const edits = editsOf(pieces, ALL) ?? assert.fail('not planned');
      assert.deepEqual(edits, editsOf([body], ALL));
      assert.deepEqual(Buffer.concat(applyEdits(pieces, edits)), edited(body, ALL));
    });
    fc.assert(property, { numRuns: 1000 });
  });

  it('leaves every byte outside its ranges as it was', () => {
    const property = fc.property(anyBody, choices, anyPlan, (node, spelling, plan) => {
      const body = Buffer.from(spell(node, chooser(spelling)));
      const edits = editsOf([body], plan) ?? assert.fail('not planned');
      const blank = edits.map(({ start, end }) => ({
        start,
        end,
        bytes: Buffer.alloc(end - start),
      }));
      const kept = Buffer.concat(applyEdits([body], blank));
      assert.equal(kept.length, body.length);
      for (const { start, end } of edits) body.fill(0, start, end);
      assert.deepEqual(kept, body);
    });
    fc.assert(property, { numRuns: 500 });
  });

  it('makes valid bodies of valid ones and never throws on damaged ones', () => {
    const change = fc.tuple(fc.nat(), fc.nat(), fc.nat(255));
    const property = fc.property(anyBody, choices, change, (node, spelling, [way, at, byte]) => {
      const body = mutated(Buffer.from(spell(node, chooser(spelling))), way, at, byte);
      const after = edited(body, ALL);
      const value = parsed(body);
      if (isObject(value)) assert.deepEqual(parsed(after ?? body), editedValue(value, ALL));
      else if (value !== undefined) assert.equal(after, null);
    });
    fc.assert(property, { numRuns: 2000 });
  });

  it('plans edits for exactly the bodies that the scanner calls complete, their strings being valid', () => {
    const property = fc.property(
      objectWith('model', 'metadata'),
      choices,
      fc.nat(),
      (node, spelling, at) => {
        const whole = Buffer.from(spell(node, chooser(spelling)));
        const body = whole.subarray(0, at % (whole.length + 1));
        const scanner = createKeyScanner(wantKeys('model'));
        scanner.push(body);
        assert.equal(editsOf([body], ALL) !== null, scanner.finish().complete);
      },
    );
    fc.assert(property, { numRuns: 500 });
  });
});
