/**
 * The proxy in one process: an engine, the port it serves, and the control socket. The demo and the
 * checks that need a proxy for a moment run it; `start` runs engines in workers (`fleet.ts`).
 */
import net from 'node:net';
import { metricsText } from './admin/metrics.ts';
import { serveControl } from './admin/server.ts';
import { type Control, ControlError, type StatusReport } from './admin/types.ts';
import { formatAuthority } from './core/authority.ts';
import { DRAIN_MS_MAX } from './core/limits.ts';
import { createEngine, type Engine, type EngineOptions } from './engine.ts';
import { createLeases } from './leases.ts';
import { listen } from './listen.ts';

export type ProxyOptions = EngineOptions;

/** What can be asked of and told to a proxy in this process, at once. */
export interface ProxyControl extends Control {
  status(): StatusReport;
  pause(): void;
  resume(): void;
  force(on: boolean): void;
  tee(on: boolean): void;
}

export interface RunningProxy {
  readonly host: string;
  readonly port: number;
  /** Where it listens, without a token. */
  readonly url: string;
  /** The trust bundle for NODE_EXTRA_CA_CERTS. */
  readonly bundlePath: string;
  readonly control: ProxyControl;
  /** Accepts no more, lets open exchanges finish for `ms` at most, then ends. */
  drain(ms?: number): Promise<void>;
  /** Ends at once; open streams are cut. */
  close(): Promise<void>;
}

/**
 * Starts a proxy.
 *
 * @throws ProxyStartError where the address can not be bound
 * @throws PkiError where the certificate authority's files are damaged or loose
 * @throws ControlError `already_running` where a proxy runs for the home
 */
export async function startProxy(options: ProxyOptions): Promise<RunningProxy> {
  const engine = await createEngine(options);
  const { host } = engine.wanted;
  // Half-open, since a client may end its side of a tunnel and still wait for the answer.
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, engine.accept);
  let controlServer: Awaited<ReturnType<typeof serveControl>> | null = null;
  let ending: Promise<void> | null = null;
  const end = async (ms: number): Promise<void> => {
    server.close();
    await engine.drain(ms);
    await controlServer?.close();
  };
  const drain = (ms = DRAIN_MS_MAX): Promise<void> => {
    ending ??= end(ms);
    return ending;
  };
  const close = async (): Promise<void> => {
    const closed = engine.close();
    await drain(0);
    await closed;
  };
  const control = controlOf(engine, () => void drain());
  let port: number;
  try {
    port = await listen(server, host, engine.wanted.port);
    engine.listensOn(port);
    controlServer = await serveControl(options.config.home, control);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    host,
    port,
    url: `http://${formatAuthority(host, port)}`,
    bundlePath: engine.bundlePath,
    control,
    drain,
    close,
  };
}

function controlOf(engine: Engine, drain: () => void): ProxyControl {
  const leases = createLeases(() => undefined);
  return {
    status: engine.status,
    pause: engine.pause,
    resume: engine.resume,
    force: engine.force,
    tee: engine.tee,
    reload: engine.reload,
    restart: () => {
      const message = 'this proxy runs in one process; end it, and start it again';
      return Promise.reject(new ControlError('no_restart', message));
    },
    drain,
    metrics: () => metricsText(engine.counted(), engine.status()),
    lease: leases.take,
  };
}
