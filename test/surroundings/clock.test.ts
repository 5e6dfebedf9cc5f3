/**
 * A wall clock that jumps: times of exchanges are those of the monotonic clock, timers go on, records are
 * stamped as the wall says, and an upstream's certificate is judged by it, which is said.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { readStatus } from '../../src/admin/client.ts';
import { runCommand } from '../support/command.ts';
import { type FakeClock, fakeClock } from '../support/fake-clock.ts';
import { tempHome } from '../support/home.ts';
import { startProxyProcess } from '../support/proxy-process.ts';
import { exchange, until, wholeExchanges } from '../support/surroundings.ts';

const HOUR_S = 3_600;
const YEAR_S = 365 * 24 * HOUR_S;
/** Longer than any exchange here takes, and far shorter than any jump. */
const SLACK_S = 600;

async function clockFor(t: TestContext): Promise<FakeClock | null> {
  const clock = await fakeClock(t);
  if (typeof clock !== 'string') return clock;
  t.skip(clock);
  return null;
}

test('hours forth and back: latencies are true, records are stamped as the wall says', async (t) => {
  const clock = await clockFor(t);
  if (clock === null) return;
  const proxy = await startProxyProcess(t, { twinApart: true, env: clock.env });
  await wholeExchanges(proxy, 1);
  let count = 1;
  for (const offset of [5 * HOUR_S, -7 * HOUR_S, 0]) {
    // Under way while the clock jumps.
    const open = exchange(proxy, 'claude-sonnet-5-5', '[twin: events 20] [twin: gap 50]');
    await until('it is open', async () => (await openExchanges(proxy.home)) === 1);
    clock.jump(offset);
    assert.equal((await open).whole, true);
    await wholeExchanges(proxy, 1);
    count += 2;
    const records = await proxy.records(count);
    for (const { latency_ms, ttfb_ms, sse, intact } of records) {
      assert(latency_ms >= 0 && latency_ms < SLACK_S * 1_000, `${latency_ms} ms`);
      assert(ttfb_ms !== null && ttfb_ms >= 0 && ttfb_ms <= latency_ms);
      assert.deepEqual([sse, intact], ['complete', true]);
    }
    const stamped = (records.at(-1)?.ts ?? 0) - Date.now() / 1_000;
    assert(Math.abs(stamped - offset) < SLACK_S, `stamped ${stamped} s from now`);
  }
});

test('a clock years behind: the upstream is refused and the clock named, until it is set', async (t) => {
  const clock = await clockFor(t);
  if (clock === null) return;
  const proxy = await startProxyProcess(t, { twinApart: true, env: clock.env });
  await wholeExchanges(proxy, 1);
  clock.jump(-5 * YEAR_S);
  const seen = await exchange(proxy);
  assert.equal(seen.fields.get('x-lanekeeper-error'), 'upstream_certificate');
  assert.match(seen.body.toString(), /look at the clock.*CERT_NOT_YET_VALID/);
  clock.jump(0);
  await wholeExchanges(proxy, 1);
  assert.deepEqual(
    (await proxy.records(3)).map(({ status }) => status),
    [200, 502, 200],
  );
});

test('doctor names a clock that is wrong', async (t) => {
  const clock = await clockFor(t);
  if (clock === null) return;
  clock.jump(-20 * YEAR_S);
  const home = await tempHome(t);
  const { code, stdout } = await runCommand(['doctor'], { home, env: clock.env });
  assert.equal(code, 1);
  assert.match(stdout, /^ERROR +clock: .*does not fit this installation\n +mend: set the clock/m);
});

async function openExchanges(home: string): Promise<number> {
  return (await readStatus(home)).exchanges.open;
}
