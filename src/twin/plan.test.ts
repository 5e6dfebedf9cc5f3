import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FaultPlanError, parsePlan } from './plan.ts';

test('a plan whose aliases lead nowhere, or to too much, is refused as any other', async () => {
  const bomb = ['a: &a [x,x,x,x,x,x,x,x]'];
  for (const letter of 'bcdef') {
    const before = String.fromCharCode(letter.charCodeAt(0) - 1);
    bomb.push(`${letter}: &${letter} [${new Array(8).fill(`*${before}`).join(',')}]`);
  }
  for (const text of ['rules: *nothing\n', `${bomb.join('\n')}\n`]) {
    await assert.rejects(parsePlan(text), FaultPlanError);
  }
});
