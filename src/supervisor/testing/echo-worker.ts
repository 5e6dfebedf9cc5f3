/**
 * A worker for the tests of this room: it answers each line with its process id and the line, and
 * misbehaves as its supervisor tells it to.
 */
import type net from 'node:net';
import type { ToSupervisor, ToWorker } from '../messages.ts';

/** How it behaves. */
export type Manner =
  | 'well'
  /** It can not start. */
  | 'fails'
  /** It dies when it is handed a connection, before it takes it. */
  | 'dies-untaken'
  /** The first connection does not reach it. */
  | 'misses-one'
  /** It never says that it is ready, and exits. */
  | 'exits';

const open = new Set<net.Socket>();
let manner: Manner = 'well';

process.on('message', (message: ToWorker, socket?: net.Socket) => {
  switch (message.kind) {
    case 'begin':
      begin(message.given as Manner);
      break;
    case 'connection':
      if (manner === 'misses-one') miss(socket);
      else if (socket !== undefined) take(message.id, socket);
      break;
    case 'call':
      if (message.name === 'silence') break;
      if (message.name === 'add')
        tell({ kind: 'answer', id: message.id, value: Number(message.argument) + 1 });
      else tell({ kind: 'refusal', id: message.id, failure: failure('unknown') });
      break;
    case 'leave':
      if (message.ms === 0) for (const one of open) one.destroy();
      endWhenEmpty();
      break;
    case 'bound':
      break;
  }
});

function begin(given: Manner): void {
  manner = given;
  if (manner === 'exits') process.exit(3);
  if (manner === 'fails') {
    tell({ kind: 'failed', failure: failure('bad_config') });
    hangUp();
    return;
  }
  tell({ kind: 'ready', wanted: { host: '127.0.0.1', port: 0 } });
}

function miss(socket: net.Socket | undefined): void {
  manner = 'well';
  socket?.destroy();
}

function take(id: number, socket: net.Socket): void {
  if (manner === 'dies-untaken') process.kill(process.pid, 'SIGKILL');
  tell({ kind: 'taken', id });
  open.add(socket);
  socket.on('error', () => undefined);
  socket.on('data', (bytes: Buffer) => socket.write(`${process.pid} ${bytes.toString()}`));
  socket.on('close', () => open.delete(socket));
}

function endWhenEmpty(): void {
  if (open.size === 0) hangUp();
  else setTimeout(endWhenEmpty, 5);
}

function hangUp(): void {
  if (process.connected) process.disconnect?.();
}

function failure(code: string) {
  return { code, message: `the echo worker says ${code}`, exitCode: 78 };
}

function tell(message: ToSupervisor): void {
  process.send?.(message);
}
