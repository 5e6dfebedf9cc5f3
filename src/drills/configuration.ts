/**
 * The configuration of a proxy whose lanes lead to a twin in another process: what a file of the user
 * says of lanes, routes and protocols stays, where the lanes lead and with which keys does not. So a
 * drill can be run over one's own routing without a real upstream, or a real key, in reach.
 */
import type { FileConfig, FileLane } from '../config/schema.ts';
import type { Twin, TwinEndpoint } from '../twin/types.ts';

/** A configuration file's content, and the variables that it needs. */
export interface DrillConfiguration {
  readonly text: string;
  readonly env: Readonly<Record<string, string>>;
}

const ZAI_KEY_VARIABLE = 'ZAI_API_KEY';
const BUILT_IN: Readonly<Record<string, Pick<FileLane, 'credentials'>>> = {
  anthropic: { credentials: 'passthrough' },
  zai: { credentials: { env: ZAI_KEY_VARIABLE } },
};

/**
 * Makes it.
 *
 * @param own the user's file, or null for the lanes that are built in
 * @param caFile name of the file with the twin's authority, relative to the configuration's own
 */
export function drillConfiguration(
  twin: Pick<Twin, 'anthropic' | 'zai'>,
  own: FileConfig | null,
  caFile: string,
): DrillConfiguration {
  const key = twin.zai.key ?? '';
  const env: Record<string, string> = { [ZAI_KEY_VARIABLE]: key };
  const lanes: Record<string, object> = {};
  for (const [name, lane] of Object.entries({ ...BUILT_IN, ...own?.lanes })) {
    const keyed = lane.credentials !== 'passthrough';
    if (lane.credentials !== 'passthrough') env[lane.credentials.env] = key;
    lanes[name] = { ...lane, upstream: urlOf(keyed ? twin.zai : twin.anthropic), ca: caFile };
  }
  // The hosts to intercept follow from the upstreams that were; a drill's clients use the API's.
  const { intercept: _, ...rest } = own ?? {};
  const listen = { host: '127.0.0.1', port: 0 };
  // YAML is a superset of JSON.
  return { text: JSON.stringify({ ...rest, listen, lanes }), env };
}

function urlOf({ origin, basePath }: Pick<TwinEndpoint, 'origin' | 'basePath'>): string {
  return origin + basePath;
}
