/**
 * A key pasted into the wrong place of the file is not told by the refusal, wherever it stands: as the
 * name of a setting, or in what the YAML parser quotes.
 */
import { strict as assert } from 'node:assert';
import { test } from 'node:test';
import { problemsOf } from './fixtures.test.ts';

const PASTED = 'sk-ant-CANARY-pasted-key-of-nobody-0001';
const PLACES: Readonly<Record<string, string>> = {
  'a setting': `${PASTED}: 1\n`,
  'the name of a lane': `lanes: { ${PASTED}: { upstream: https://a.test, credentials: passthrough } }\n`,
  'a setting of credentials': `lanes: { zai: { upstream: https://a.test, credentials: { ${PASTED} } } }\n`,
  'a token of the YAML stream': `listen\n: ${PASTED}\n`,
  'a tag': `listen: !${PASTED} 1\n`,
  'a directive': `%${PASTED} x\n---\nlisten: {}\n`,
  'the header of a block': `listen: | ${PASTED}\n  a\n`,
};

for (const [place, yaml] of Object.entries(PLACES)) {
  test(`a key pasted as ${place} is not told`, async (t) => {
    const problems = await problemsOf(t, { yaml });
    const told = JSON.stringify(problems);
    assert.ok(!told.includes(PASTED), told);
    for (const { message } of problems) assert.match(message, /\w$/);
  });
}
