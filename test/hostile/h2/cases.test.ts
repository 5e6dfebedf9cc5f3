/**
 * Every case of the catalogue against the proxy, on its plain port and inside a tunnel: the reaction that the
 * catalogue names, which the RFC allows or a deviation explains; nothing smuggled; nothing left open.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Case, isReaction, oursOf, play, reachesOf } from './case.ts';
import { CASES } from './catalogue.ts';
import { assertNothingSmuggled, assertQuiet, honest, openHouse } from './house.ts';
import type { Door } from './peer.ts';

const AT_ONCE = 6;

/** Plays all, some at once; gives those that did not react as the catalogue says. */
async function playAll(door: Door): Promise<string[]> {
  const wrong: string[] = [];
  const left = [...CASES];
  const isInTunnel = door.tls !== undefined;
  const work = async (): Promise<void> => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) {
      const seen = await play(one, door);
      const expected = oursOf(one, isInTunnel);
      if (!isReaction(seen, expected)) wrong.push(`${one.id}: ${seen} in place of ${expected}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return wrong;
}

test('the catalogue says truly what the RFCs allow, and names every deviation', () => {
  assert.equal(new Set(CASES.map(({ id }) => id)).size, CASES.length, 'ids are unique');
  for (const one of CASES) {
    for (const isInTunnel of [false, true]) {
      const isAllowed = one.allows.includes(oursOf(one, isInTunnel));
      assert.equal(isAllowed, one.deviates === undefined, one.id);
    }
  }
});

for (const where of ['plain', 'tunnel'] as const) {
  test(`${CASES.length} cases of hostile or odd HTTP/2, ${where}`, async (t) => {
    const house = await openHouse(t);
    assert.deepEqual(await playAll(house[where]), []);
    assert.equal(await honest(house.plain.port), 200);
    await assertQuiet(house);
    assertNothingSmuggled(house);
    const came = (one: Case): number =>
      house.upstream.requests.filter(({ start }) => start.includes(`/case/${one.id} `)).length;
    for (const one of CASES) {
      assert(came(one) <= reachesOf(one), `${one.id} came ${came(one)} times`);
      if (oursOf(one, where === 'tunnel') === '200')
        assert.equal(came(one), reachesOf(one), one.id);
    }
    // One record for each exchange that began, the honest one included.
    const { total } = house.rig.proxy.control.status().exchanges;
    assert.equal((await house.rig.records(total)).length, total);
  });
}
