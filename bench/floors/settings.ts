/** What a floor or a peer of ours is told, through its environment. */

export interface Settings {
  readonly port: number;
  readonly upstreamPort: number;
  /** The name in the upstream's certificate. */
  readonly host: string;
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly secondKey: string;
  readonly usageFile: string;
  /** A folder of its own. */
  readonly folder: string;
}

/** The variable that holds each setting. */
export const VARIABLES: Readonly<Record<keyof Settings, string>> = {
  port: 'BENCH_PORT',
  upstreamPort: 'BENCH_UPSTREAM_PORT',
  host: 'BENCH_HOST',
  caFile: 'BENCH_CA_FILE',
  certFile: 'BENCH_CERT_FILE',
  keyFile: 'BENCH_KEY_FILE',
  secondKey: 'BENCH_SECOND_KEY',
  usageFile: 'BENCH_USAGE_FILE',
  folder: 'BENCH_FOLDER',
};

/** Reads them. */
export function settings(): Settings {
  const read = (name: keyof Settings): string => process.env[VARIABLES[name]] ?? '';
  return {
    port: Number(read('port')),
    upstreamPort: Number(read('upstreamPort')),
    host: read('host'),
    caFile: read('caFile'),
    certFile: read('certFile'),
    keyFile: read('keyFile'),
    secondKey: read('secondKey'),
    usageFile: read('usageFile'),
    folder: read('folder'),
  };
}
