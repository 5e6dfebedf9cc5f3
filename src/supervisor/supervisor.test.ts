/** The supervisor with real processes and real sockets; the workers are those of `testing/`. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Supervisor } from './supervisor.ts';
import type { Manner } from './testing/echo-worker.ts';
import type { Exit, WorkerProcess } from './worker-process.ts';

const ENTRY = fileURLToPath(new URL('testing/echo-worker.ts', import.meta.url));

interface Scene {
  after(run: () => Promise<void> | void): void;
}

interface Rig {
  readonly supervisor: Supervisor;
  readonly ends: (Exit & { unasked: boolean })[];
  readonly retries: unknown[];
  readonly lost: number[];
  readonly prepared: WorkerProcess[];
  port(): number;
  spawned(): number;
}

/** Not started yet. @param manners of the workers in the order of their starts; then they behave well */
function supervisorOf(t: Scene, workers: number, manners: readonly Manner[] = []): Rig {
  const ends: Rig['ends'] = [];
  const retries: unknown[] = [];
  const lost: number[] = [];
  const prepared: WorkerProcess[] = [];
  let begun = 0;
  let bound = 0;
  const supervisor = new Supervisor({
    workers,
    spawn: () =>
      spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ENTRY], {
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      }),
    begin: () => {
      begun += 1;
      return manners[begun - 1] ?? 'well';
    },
    listen: async (server, { host, port }) => {
      server.listen(port, host);
      await once(server, 'listening');
      bound = (server.address() as net.AddressInfo).port;
      return bound;
    },
    prepare: async (worker) => void prepared.push(worker),
    onEnd: (_worker, exit, unasked) => void ends.push({ ...exit, unasked }),
    onLost: (_worker, count) => void lost.push(count),
    onRetry: (reason) => void retries.push(reason),
  });
  t.after(async () => {
    supervisor.drain(0);
    await supervisor.closed;
  });
  return { supervisor, ends, retries, lost, prepared, port: () => bound, spawned: () => begun };
}

interface Client {
  /** Sends a line; what came back, parted at the space. */
  say(line: string): Promise<readonly [pid: number, line: string]>;
  readonly socket: net.Socket;
}

async function connect(port: number): Promise<Client> {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return {
    socket,
    async say(line) {
      socket.write(line);
      const [bytes] = (await once(socket, 'data')) as [Buffer];
      const [pid = '', said = ''] = bytes.toString().split(' ');
      return [Number(pid), said];
    },
  };
}

test('connections go to the workers in turn', async (t) => {
  const { supervisor, port } = supervisorOf(t, 2);
  const address = await supervisor.start();
  assert.deepEqual(address, { host: '127.0.0.1', port: port() });
  const served: number[] = [];
  for (const line of ['one', 'two', 'three', 'four']) {
    const [pid, said] = await (await connect(port())).say(line);
    assert.equal(said, line);
    served.push(pid);
  }
  assert.deepEqual([...new Set(served)].sort(), supervisor.workers.map(({ pid }) => pid).sort());
  assert.equal(served[0], served[2]);
});

test('a connection that a worker did not live to take goes to the next, whole', async (t) => {
  const { supervisor, port, ends } = supervisorOf(t, 1, ['dies-untaken']);
  await supervisor.start();
  const [first] = supervisor.workers;
  const client = await connect(port());
  const [pid, said] = await client.say('hello');
  assert.equal(said, 'hello');
  assert.notEqual(pid, first?.pid);
  assert.deepEqual(ends, [{ pid: first?.pid, code: null, signal: 'SIGKILL', unasked: true }]);
});

test('a connection that does not reach a worker is taken back, and tried again', async (t) => {
  const { supervisor, port, lost } = supervisorOf(t, 1, ['misses-one']);
  await supervisor.start();
  const client = await connect(port());
  const [, said] = await client.say('hello');
  assert.equal(said, 'hello');
  assert.deepEqual(lost, [1]);
});

test('a worker that is killed is replaced; who comes meanwhile waits and is served', async (t) => {
  const { supervisor, port, prepared } = supervisorOf(t, 1);
  await supervisor.start();
  const [victim] = supervisor.workers;
  const cut = await connect(port());
  await cut.say('before');
  victim?.kill();
  await once(cut.socket, 'close');
  const clients = await Promise.all(Array.from({ length: 20 }, () => connect(port())));
  const answers = await Promise.all(clients.map((client) => client.say('x')));
  for (const [pid] of answers) assert.notEqual(pid, victim?.pid);
  assert.equal(prepared.length, 2);
});

test('a restart: the new serve, the old finish what they have, and nobody is refused', async (t) => {
  const { supervisor, port, ends } = supervisorOf(t, 2);
  await supervisor.start();
  const old = supervisor.workers.map(({ pid }) => pid);
  const [a, b] = [await connect(port()), await connect(port())];
  await a.say('a');
  await b.say('b');
  await supervisor.restart(60_000);
  for (let i = 0; i < 4; i += 1) {
    const client = await connect(port());
    const [pid] = await client.say('new');
    assert(!old.includes(pid), 'a new worker serves');
    client.socket.destroy();
  }
  assert(old.includes((await a.say('still'))[0]), 'the old one goes on with what it has');
  a.socket.destroy();
  b.socket.destroy();
  while (ends.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.deepEqual(
    ends.map(({ unasked, code }) => [unasked, code]),
    [
      [false, 0],
      [false, 0],
    ],
  );
  assert.equal(supervisor.workers.length, 2);
});

test('a restart whose new worker does not start leaves the old one serving', async (t) => {
  const { supervisor, port } = supervisorOf(t, 1, ['well', 'fails']);
  await supervisor.start();
  const [old] = supervisor.workers;
  await assert.rejects(supervisor.restart(1_000), {
    name: 'WorkerFailure',
    code: 'bad_config',
    exitCode: 78,
  });
  assert.equal((await (await connect(port())).say('x'))[0], old?.pid);
});

test('a first worker that can not start fails the start, in its own words; nothing is left', async (t) => {
  const { supervisor, ends } = supervisorOf(t, 2, ['fails', 'fails']);
  await assert.rejects(supervisor.start(), { code: 'bad_config', message: /says bad_config/ });
  assert.equal(ends.length, 2);
  assert.deepEqual(supervisor.workers, []);
});

test('a worker that exits before it is ready is told by its exit status', async (t) => {
  const { supervisor } = supervisorOf(t, 1, ['exits']);
  await assert.rejects(supervisor.start(), { code: 'worker_failed', message: /exit status 3/ });
});

test('a replacement that does not start is tried again until one does', async (t) => {
  const { supervisor, port, retries } = supervisorOf(t, 1, ['well', 'exits', 'fails']);
  await supervisor.start();
  supervisor.workers[0]?.kill();
  const client = await connect(port());
  assert.equal((await client.say('patience'))[1], 'patience');
  assert.equal(retries.length, 2);
});

test('drain: nobody new is let in, the open connection lives to its end', async (t) => {
  const { supervisor, port } = supervisorOf(t, 2);
  await supervisor.start();
  const client = await connect(port());
  await client.say('open');
  supervisor.drain(60_000);
  const late = net.connect(port(), '127.0.0.1');
  const [error] = (await once(late, 'error')) as [NodeJS.ErrnoException];
  assert.equal(error.code, 'ECONNREFUSED');
  assert.equal((await client.say('still'))[1], 'still');
  client.socket.destroy();
  await supervisor.closed;
  assert.deepEqual(supervisor.workers, []);
});

test('a second drain with no time ends what is open', async (t) => {
  const { supervisor, port } = supervisorOf(t, 1);
  await supervisor.start();
  const client = await connect(port());
  await client.say('open');
  supervisor.drain(60_000);
  supervisor.drain(0);
  await Promise.all([once(client.socket, 'close'), supervisor.closed]);
});

test('a worker is asked: it answers, refuses, or dies without an answer', async (t) => {
  const { supervisor } = supervisorOf(t, 1);
  await supervisor.start();
  const [worker] = supervisor.workers;
  assert(worker !== undefined);
  assert.equal(await worker.call('add', 41), 42);
  await assert.rejects(worker.call('nonsense'), { name: 'WorkerFailure', code: 'unknown' });
  const silent = worker.call('silence');
  worker.kill();
  await assert.rejects(silent, { code: 'worker_silent' });
  await worker.gone;
  await assert.rejects(worker.call('add', 1), { code: 'worker_silent' });
});
