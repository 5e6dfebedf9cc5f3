/** The twin as the configuration takes it: in place of every lane's upstream and key. */
import type { TwinUpstream, TwinUpstreams } from '../config/load.ts';
import type { Twin, TwinEndpoint } from '../twin/types.ts';

/** The upstreams of a running twin. */
export function twinUpstreams(twin: Twin): TwinUpstreams {
  return {
    anthropic: upstream(twin.anthropic),
    zai: upstream(twin.zai),
    zaiKey: twin.zai.key ?? '',
  };
}

function upstream({ host, port, ca, basePath }: TwinEndpoint): TwinUpstream {
  return { host, port, ca, basePath };
}
