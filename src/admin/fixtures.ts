/** A status report for the tests of this room and of the command line. */
import type { StatusReport } from './types.ts';

/** A report of an idle proxy, with what differs from it. */
export function statusReport(different: Partial<StatusReport> = {}): StatusReport {
  return {
    version: '0.0.0',
    pid: 4242,
    started: 1_700_000_000,
    uptime_s: 61,
    listen: { host: '127.0.0.1', port: 8082 },
    home: '/home/someone/.lanekeeper',
    config_file: null,
    twin: false,
    paused: false,
    force: false,
    tee: false,
    draining: false,
    lanes: [
      {
        name: 'anthropic',
        upstream: 'https://api.anthropic.com',
        credentials: 'passthrough',
        header_mode: null,
        exchanges: 2,
        errors: 0,
        sockets_idle: 1,
        sockets_busy: 0,
      },
    ],
    default_lane: 'anthropic',
    connections: 1,
    tunnels: 1,
    exchanges: { open: 0, total: 2 },
    ledger: {
      path: '/home/someone/.lanekeeper/logs/usage.jsonl',
      written: 2,
      dropped: 0,
      fault: null,
    },
    ca: { hosts: ['api.anthropic.com'], expires: '2030-01-01T00:00:00.000Z', bundle: '/ca.pem' },
    memory: { rss_bytes: 50_000_000, heap_bytes: 10_000_000 },
    workers: [
      {
        pid: 4242,
        started: 1_700_000_000,
        draining: false,
        connections: 1,
        exchanges_open: 0,
        rss_bytes: 50_000_000,
        heap_bytes: 10_000_000,
      },
    ],
    workers_lost: 0,
    notes: [],
    ...different,
  };
}
