/**
 * A name that does not resolve, and then does: told as what it is, at once, and not remembered. The
 * proxy has a resolver of its own, which asks nobody but this machine.
 */
import assert from 'node:assert/strict';
import { appendFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { mintServer } from '../../src/pki/authority.ts';
import { startTwin } from '../../src/twin/index.ts';
import { tempHome } from '../support/home.ts';
import { startProxyProcess } from '../support/proxy-process.ts';
import {
  exchange,
  linesOf,
  until,
  wholeExchanges,
  withOwnMounts,
  withoutDisks,
} from '../support/surroundings.ts';

const NAME = 'upstream.test';

test('a name that can not be resolved is told, and asked for anew', {
  skip: withoutDisks(),
}, async (t) => {
  const folder = await tempHome(t);
  const hosts = path.join(folder, 'hosts');
  const resolver = path.join(folder, 'resolv.conf');
  await writeFile(hosts, '127.0.0.1 localhost\n');
  // Nobody listens there, so that each question fails on this machine.
  await writeFile(resolver, 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n');
  const launcher = await withOwnMounts(t, [
    `mount --bind "${hosts}" /etc/hosts`,
    `mount --bind "${resolver}" "$(readlink -f /etc/resolv.conf)"`,
  ]);
  const certificate = await mintServer({ names: [NAME], ips: [], now: new Date() });
  const twin = await startTwin({ certificate });
  t.after(() => twin.close());
  const origin = twin.anthropic.origin.replace('127.0.0.1', NAME);
  assert(origin.includes(NAME));
  const proxy = await startProxyProcess(t, {
    launcher,
    twin: { anthropic: { ...twin.anthropic, origin }, zai: twin.zai },
  });
  for (let i = 0; i < 2; i += 1) {
    const seen = await exchange(proxy);
    assert.equal(seen.status, 502);
    assert.equal(seen.fields.get('x-lanekeeper-error'), 'upstream_dns');
    assert.match(
      seen.body.toString(),
      /name of the upstream could not be resolved.*upstream\.test/,
    );
  }
  await appendFile(hosts, `127.0.0.1 ${NAME}\n`);
  await wholeExchanges(proxy, 1);
  const records = await proxy.records(3);
  assert.deepEqual(
    records.map(({ status, err_type, attempts }) => [status, err_type, attempts]),
    [
      [502, 'net', 1],
      [502, 'net', 1],
      [200, null, 1],
    ],
  );
  const anomalies = path.join(proxy.home, 'logs', 'anomalies.jsonl');
  await until('both are on record', () => linesOf(anomalies).whole.length === 2);
  assert(linesOf(anomalies).whole.every(({ code }) => code === 'dns'));
});
