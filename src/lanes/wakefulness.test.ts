import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mockTime } from '../../test/support/mock-time.ts';
import { WAKE_NETWORK_MS } from '../core/limits.ts';
import { mintServer } from '../pki/authority.ts';
import { scriptH2 } from './scripted-h2.ts';
import {
  answering,
  laneTo,
  OK,
  record,
  requestOf,
  scriptUpstream,
  settled,
  TIMEOUTS,
  upstreamAt,
} from './scripted-upstream.ts';
import { MACHINE, Wakefulness } from './wakefulness.ts';
import { Watchdog } from './watchdog.ts';

const LIMITS = { wakeBeatMs: 1_000, wakeLateMs: 10_000, wakeDriftMs: 3_000 };
/** Longer than any beat may be late. */
const MINUTE = 60_000;
const YEAR = 365 * 24 * 3_600_000;

/** Clocks that stand still until they are moved, and addresses as they are said. */
function scene(t: { after(run: () => void): void }) {
  const clock = { now: 5_000, wall: 1_700_000_000_000, network: 'eth0 192.0.2.7' as string | null };
  const wake = new Wakefulness(LIMITS, {
    now: () => clock.now,
    wall: () => clock.wall,
    network: () => clock.network,
  });
  let changes = 0;
  wake.start(() => {
    changes += 1;
  });
  t.after(() => wake.stop());
  return {
    clock,
    wake,
    changes: () => changes,
    pass(ms: number, wallMs = ms) {
      clock.now += ms;
      clock.wall += wallMs;
    },
  };
}

test('beats in time, and a little late, are no sleep', (t) => {
  const { wake, pass, changes } = scene(t);
  for (const ms of [0, 1_000, 1_000, 11_000, 10]) {
    pass(ms);
    wake.look();
  }
  assert.equal(changes(), 0);
  assert.equal(wake.justWoke(), false);
});

test('a beat that is much too late is a sleep, told once', (t) => {
  const { wake, pass, changes } = scene(t);
  pass(11_001);
  wake.look();
  wake.look();
  assert.equal(changes(), 1);
  assert.equal(wake.justWoke(), true);
  pass(3_001);
  assert.equal(wake.justWoke(), false);
});

test('a monotonic clock that stood still while the wall clock went on is a sleep', (t) => {
  const { wake, pass, changes } = scene(t);
  pass(200, MINUTE);
  assert.equal(wake.justWoke(), true);
  assert.equal(changes(), 1);
});

test('a wall clock that is set forth or back is taken for one, and passes', (t) => {
  for (const jump of [YEAR, -YEAR]) {
    const { wake, pass, changes } = scene(t);
    pass(1_000, jump);
    wake.look();
    for (let i = 0; i < 10; i += 1) {
      pass(1_000);
      wake.look();
    }
    assert.equal(changes(), 1);
  }
});

test('other addresses are another network; ones that can not be read tell nothing', (t) => {
  const { clock, wake, pass, changes } = scene(t);
  clock.network = 'wlan0 198.51.100.3';
  pass(WAKE_NETWORK_MS - 1);
  wake.lookAround();
  assert.equal(changes(), 0, 'not looked at more often than is worth it');
  pass(1);
  wake.lookAround();
  assert.equal(changes(), 1);
  for (const network of [null, 'wlan0 198.51.100.3']) {
    clock.network = network;
    pass(WAKE_NETWORK_MS);
    wake.lookAround();
  }
  assert.equal(changes(), 1);
});

test('what is not watched tells nothing', (t) => {
  const { clock, wake, pass, changes } = scene(t);
  wake.stop();
  pass(MINUTE);
  clock.network = 'other';
  wake.look();
  wake.lookAround();
  assert.equal(wake.justWoke(), false);
  assert.equal(changes(), 0);
});

test('the addresses of this machine can be read, and are the same twice', () => {
  const found = MACHINE.network();
  assert.equal(typeof found, 'string');
  assert.equal(MACHINE.network(), found);
});

/** A machine whose monotonic clock can be moved, and whose network can be changed. */
function surroundings() {
  const state = { skippedMs: 0, network: 'eth0' };
  return {
    state,
    around: {
      now: () => performance.now() + state.skippedMs,
      wall: () => Date.now() + state.skippedMs,
      network: () => state.network,
    },
  };
}

test('after a sleep the next request goes on a new connection, and an open exchange goes on', async () => {
  const { state, around } = surroundings();
  const upstream = await scriptUpstream({}, answering);
  const lane = laneTo(upstreamAt(upstream.port), { surroundings: around });
  const ask = (target: string) => {
    const events = record();
    lane.open(lane.prepare(requestOf({ target })), events);
    return events;
  };
  const held = ask('/hold');
  await (await upstream.peer(0)).until((text) => text.includes('/hold'));
  await ask('/').end;
  await settled();
  assert.deepEqual(lane.stats(), { idle: 1, busy: 1 });
  state.skippedMs += MINUTE;
  await ask('/').end;
  assert.equal(upstream.peers.length, 3);
  (await upstream.peer(0)).socket.write(OK);
  await held.end;
  lane.close();
  await upstream.close();
});

test('after a sleep new streams go on a new session; open ones end where they are', async () => {
  const keys = await mintServer({ names: ['localhost'], ips: [], now: new Date() });
  const { state, around } = surroundings();
  const holding: (() => void)[] = [];
  const rig = await scriptH2(
    keys,
    (stream, headers) => {
      const answer = (): void => stream.respond({ ':status': 200 }, { endStream: true });
      if (headers[':path'] === '/hold') holding.push(answer);
      else answer();
    },
    { lane: { surroundings: around } },
  );
  const ask = (target: string) => {
    const events = record();
    rig.lane.open(rig.lane.prepare(requestOf({ target, clientProtocol: 'h2' })), events);
    return events;
  };
  const held = ask('/hold');
  while (holding.length === 0) await settled();
  state.skippedMs += MINUTE;
  await ask('/').end;
  assert.equal(rig.sessions.length, 2);
  state.skippedMs += MINUTE;
  await ask('/').end;
  assert.equal(rig.sessions.length, 3);
  for (const answer of holding) answer();
  await held.end;
  while (rig.lane.stats().idle + rig.lane.stats().busy > 1) await settled();
  await rig.close();
});

test('on another network what rested is not used', async () => {
  const { state, around } = surroundings();
  const upstream = await scriptUpstream({}, answering);
  const lane = laneTo(upstreamAt(upstream.port), { surroundings: around });
  const ask = async (): Promise<void> => {
    const events = record();
    lane.open(lane.prepare(requestOf()), events);
    await events.end;
    await settled();
  };
  await ask();
  state.network = 'wlan0';
  await new Promise((resolve) => setTimeout(resolve, WAKE_NETWORK_MS + 50));
  await ask();
  assert.equal(upstream.peers.length, 2);
  lane.close();
  await upstream.close();
});

test('a deadline that passed in a sleep is given anew, and then holds', (t) => {
  const time = mockTime(t);
  const woke = [true, false];
  const fired: string[] = [];
  const watchdog = new Watchdog(
    { ...TIMEOUTS, headMs: 900 },
    { justWoke: () => woke.shift() ?? assert.fail('asked once a firing') },
    (waiting) => fired.push(waiting),
  );
  watchdog.watch('head');
  time.tick(900);
  assert.deepEqual(fired, []);
  time.tick(899);
  assert.deepEqual(fired, []);
  time.tick(1);
  assert.deepEqual(fired, ['head']);
});
