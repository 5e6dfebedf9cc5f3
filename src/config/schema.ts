/**
 * The configuration file: one schema that is its types, its documentation and its validator.
 * `lanekeeper.schema.json` is generated from it (`write-schema.ts`).
 *
 * Only shapes are checked here. What needs the environment, the disk or another setting to judge
 * (keys, certificates, names of lanes) is checked by `lanes.ts` and `routes.ts`.
 *
 * zod takes long to load, so this module is imported only once a file exists.
 */
import { z } from 'zod';
import { MODEL_ID, PORT_MAX } from './environment.ts';

/** Longest wait that the file may ask for: one hour, ms. */
const TIMEOUT_MS_MAX = 3_600_000;
const GLOB_CHARS_MAX = 256;

const LANE_NAME = /^[a-z][a-z0-9-]{0,31}$/;
const ROUTE_NAME = /^[a-z0-9_-]{1,64}$/;
/** Upper case only: a key pasted in place of a name should not pass for one. */
const VARIABLE_NAME = /^[A-Z_][A-Z0-9_]{0,127}$/;

const variableName = z
  .string()
  .regex(VARIABLE_NAME)
  .meta({ description: 'Name of an environment variable, in upper case; never the key itself.' });

const laneName = z.string().regex(LANE_NAME).meta({
  description: 'A lane: a lower-case letter, then lower-case letters, digits and hyphens.',
});

const glob = z
  .string()
  .min(1)
  .max(GLOB_CHARS_MAX)
  .meta({ description: 'A quoted glob: * stands for any run of characters, ? for one.' });

const milliseconds = (what: string) =>
  z
    .int()
    .min(1)
    .max(TIMEOUT_MS_MAX)
    .optional()
    .meta({ description: `${what}, in milliseconds.` });

const dropOrKeep = (what: string) =>
  z
    .enum(['drop', 'keep'])
    .optional()
    .meta({ description: `${what}: drop (default) or keep.` });

const listen = z
  .strictObject({
    host: z.string().min(1).optional().meta({
      description: 'IP address, or localhost; any but loopback needs a token. Default: 127.0.0.1.',
    }),
    port: z.int().min(0).max(PORT_MAX).optional().meta({
      description: 'Port; 0 takes any free one. Default: 8082. MITM_PORT overrides it.',
    }),
    token: z
      .union([z.literal('auto'), z.strictObject({ env: variableName })])
      .optional()
      .meta({
        description:
          'Variable with the token that clients must present, as { env: NAME }; or auto: a random one of the home, which run and env give to clients. Default: LANEKEEPER_TOKEN, if set.',
      }),
  })
  .meta({ description: 'Where the proxy listens.' });

const credentials = z
  .union([
    z.literal('passthrough'),
    z.strictObject({
      env: variableName,
      header: z.enum(['x-api-key', 'authorization']).optional().meta({
        description:
          'How the key is presented: x-api-key (default) or authorization (Bearer). ZAI_HEADER_MODE overrides it on the lane zai.',
      }),
    }),
  ])
  .meta({
    description:
      'passthrough (the credentials of the client, byte for byte), or { env: NAME, header: x-api-key } for a key of the lane.',
  });

const lane = z.strictObject({
  upstream: z.string().min(1).meta({
    description:
      'URL of the upstream, its path prefix included: https, or http to a loopback address; no query, fragment or user.',
  }),
  credentials,
  models: z
    .record(
      glob,
      z.string().regex(MODEL_ID).meta({ description: 'Model id that the upstream knows.' }),
    )
    .optional()
    .meta({
      description:
        'Model ids sent in place of those that match a quoted glob; first match wins. Default: none; on the lane zai, "*haiku*": glm-4.5-air. ZAI_MODEL overrides "*haiku*" there.',
    }),
  ca: z.string().min(1).optional().meta({
    description: 'PEM file with further trust roots for this upstream only, relative to this file.',
  }),
  body: z
    .strictObject({
      user_id: dropOrKeep('metadata.user_id, which names the Anthropic account and device'),
      attribution: dropOrKeep(
        'The system entry that begins with x-anthropic-billing-header, which changes every turn',
      ),
    })
    .optional()
    .meta({ description: 'What a keyed lane removes from a request body.' }),
});

const route = z.strictObject({
  name: z.string().regex(ROUTE_NAME).meta({
    description:
      'Name of the route in the ledger (rule:NAME): lower-case letters, digits, _ and -; each once.',
  }),
  when: z
    .strictObject({
      model: glob.optional().meta({ description: 'Quoted glob over the model id.' }),
      agent: z.enum(['main', 'subagent']).optional().meta({
        description: 'Who asks: the main agent or a subagent.',
      }),
      path: glob.optional().meta({ description: 'Quoted glob over the path, without its query.' }),
    })
    .optional()
    .meta({ description: 'Conditions, all of which must hold; none: every routed request.' }),
  lane: laneName.meta({ description: 'The lane that the request takes.' }),
});

const timeouts = z
  .strictObject({
    connect_ms: milliseconds('TCP connection to an upstream'),
    tls_ms: milliseconds('TLS handshake with an upstream'),
    head_ms: milliseconds('From the end of a request to the head of its answer'),
    idle_ms: milliseconds('Silence in the middle of an answer'),
  })
  .meta({ description: 'How long an upstream may take.' });

const allowOrRefuse = (what: string) =>
  z.enum(['allow', 'refuse']).optional().meta({ description: what });

const tunnels = z
  .strictObject({
    private: allowOrRefuse(
      'Loopback and private addresses, such as a server of your own: allow (default) or refuse.',
    ),
    metadata: allowOrRefuse(
      'Metadata services of clouds and link-local addresses, where credentials are handed out: refuse (default) or allow.',
    ),
  })
  .meta({
    description:
      'Where tunnels and forwarded requests may lead. Names are judged by the addresses that are dialled. Never back to the proxy itself.',
  });

/** The whole file. Every setting has a default; unknown ones are errors. */
export const fileSchema = z
  .strictObject({
    listen: listen.optional(),
    http2: z.enum(['follow', 'always', 'never']).optional().meta({
      description:
        'Protocol towards upstreams: follow the client (default), always HTTP/2 where offered (but for bodies beyond its flow-control window), or never. MITM_HTTP2 and MITM_FORCE_H1 override it.',
    }),
    intercept: z.array(z.string()).min(1).optional().meta({
      description:
        'Hosts whose TLS is terminated here: api.anthropic.com (default) or the host of the default lane. Every other one is tunnelled blind.',
    }),
    lanes: z.record(laneName, lane).optional().meta({
      description:
        'Lanes by name. A lane named here replaces the built-in one of that name (anthropic, zai) whole; the others stay.',
    }),
    routes: z.array(route).optional().meta({
      description:
        'Routes, first match wins. Default: Haiku requests of subagents take zai, where it has a key.',
    }),
    default: laneName.optional().meta({
      description: 'The lane of every request that no route matches. Default: anthropic.',
    }),
    timeouts: timeouts.optional(),
    tunnels: tunnels.optional(),
  })
  .meta({ title: 'lanekeeper.yaml', description: 'Configuration of Lanekeeper.' });

/** The file as written, its shape checked. */
export type FileConfig = z.infer<typeof fileSchema>;
/** One lane of the file. */
export type FileLane = z.infer<typeof lane>;

/** The part of a JSON Schema that problems are explained from. */
export interface SchemaNode {
  readonly description?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly additionalProperties?: SchemaNode | false;
  readonly propertyNames?: SchemaNode;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
}

/** The schema as JSON Schema (draft 7, which editors understand best). */
export function jsonSchema(): SchemaNode {
  return z.toJSONSchema(fileSchema, { io: 'input', target: 'draft-7' }) as SchemaNode;
}

/** The text of `lanekeeper.schema.json`. */
export function schemaText(): string {
  return `${JSON.stringify(jsonSchema(), null, 2)}\n`;
}
