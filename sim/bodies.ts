/**
 * Request bodies of the Messages API, well-formed and not, each with what a keyed lane should make of
 * it. The expectation is built beside the body, by leaving parts out, and held against `JSON.parse`;
 * no code of `core/json` has a part in it.
 */
import type { Random } from './random.ts';

/** What a keyed lane does to a body. */
export interface BodyRules {
  /** The model id in place of the one asked for, or null. */
  readonly model: string | null;
  readonly dropUserId: boolean;
  readonly dropAttribution: boolean;
}

export interface BodyPlan {
  readonly text: string;
  /** As `JSON.parse` has it: the last string of that name; null where there is none. */
  readonly model: string | null;
  edited(rules: BodyRules): string;
}

type Render = (rules: BodyRules) => string;

interface Member {
  readonly render: Render;
  isDoomed(rules: BodyRules): boolean;
}

const AS_IT_IS: BodyRules = { model: null, dropUserId: false, dropAttribution: false };
const MODELS = [
  'claude-haiku-4-5-20251001',
  'claude-3-5-HAIKU-latest',
  'claude-sonnet-4-5',
  'claude-opus-4-1',
  'glm-4.5',
  '',
];

/**
 * A body.
 *
 * @param filler bytes of text in the last message
 * @param aside text that is put into a message as it is
 */
export function planBody(random: Random, filler: number, aside: string): BodyPlan {
  if (random.chance(0.06)) return oddBody(random);
  const members: Member[] = [];
  let model: string | null = null;
  const count = random.pick([0, 1, 1, 1, 1, 1, 1, 2]);
  for (let i = 0; i < count; i += 1) {
    const id = random.pick(MODELS);
    model = id;
    members.push(modelMember(random, id));
  }
  if (random.chance(0.1)) {
    members.push(fixed(`"model":${random.pick(['null', '7', '{"model":"x"}'])}`));
    model = null;
  }
  const others: Member[] = [
    fixed(`"max_tokens":${random.between(1, 64_000)}`),
    fixed(`"stream":${random.pick(['true', 'false', 'null'])}`),
    messages(random, filler, aside),
  ];
  if (random.chance(0.6)) others.push(metadata(random));
  if (random.chance(0.6)) others.push(system(random));
  for (const other of others) {
    // A later `model` wins, so that the order of those among themselves stays.
    members.splice(random.between(0, members.length), 0, other);
  }
  const whole = list(random, '{', members, '}');
  const before = random.pick(['', '', '', ' ', '\r\n']);
  return {
    text: before + whole(AS_IT_IS),
    model,
    edited: (rules) => before + whole(rules),
  };
}

/** Bodies that can not be routed. */
function oddBody(random: Random): BodyPlan {
  const text = random.pick([
    '',
    '{',
    '[]',
    '"claude-haiku"',
    '{"model":"claude-haiku"',
    '{"model":"claude-haiku"}}',
    '{"model":"claude-haiku",}',
    "{'model':'claude-haiku'}",
    '{"model":"claude-haiku"} trailing',
    '{"model":"claude-\\x"}',
    'model=claude-haiku',
  ]);
  return { text, model: null, edited: () => text };
}

function fixed(text: string): Member {
  return { render: () => text, isDoomed: () => false };
}

function modelMember(random: Random, id: string): Member {
  const key = random.pick(['"model"', '"model"', '"mod\\u0065l"']);
  const value = random.chance(0.15)
    ? JSON.stringify(id).replace('a', '\\u0061')
    : JSON.stringify(id);
  const colon = random.pick([':', ': ', ' :']);
  return {
    render: ({ model }) => `${key}${colon}${model === null ? value : JSON.stringify(model)}`,
    isDoomed: () => false,
  };
}

function messages(random: Random, filler: number, aside: string): Member {
  const decoy = random.pick(['', '\\"model\\":\\"claude-haiku\\" ', '{ } [ ] \\\\ ']);
  const nested = random.chance(0.3) ? ',"model":"claude-haiku-decoy"' : '';
  const text = `${decoy}${aside}${'lorem ipsum '.repeat(Math.ceil(filler / 12)).slice(0, filler)}`;
  return fixed(`"messages":[{"role":"user","content":"${text}"${nested}}]`);
}

function metadata(random: Random): Member {
  if (random.chance(0.1)) return fixed('"metadata":null');
  const members: Member[] = [];
  const count = random.between(0, 3);
  for (let i = 0; i < count; i += 1) {
    if (random.chance(0.5)) {
      const key = random.pick(['"user_id"', '"user\\u005fid"']);
      members.push({
        render: () => `${key}:"user_${i}_account_x"`,
        isDoomed: ({ dropUserId }) => dropUserId,
      });
    } else {
      members.push(fixed(`"k${i}":{"user_id":"nested"}`));
    }
  }
  const inner = list(random, '{', members, '}');
  return { render: (rules) => `"metadata":${inner(rules)}`, isDoomed: () => false };
}

function system(random: Random): Member {
  if (random.chance(0.2)) return fixed('"system":"x-anthropic-billing-header: in a string"');
  const entries: Member[] = [];
  const count = random.between(0, 3);
  let isFirst = true;
  for (let i = 0; i < count; i += 1) {
    if (random.chance(0.5)) {
      const doomed = isFirst;
      isFirst = false;
      const colon = random.pick([':', '\\u003a']);
      entries.push({
        render: () => `{"type":"text","text":"x-anthropic-billing-header${colon} cch=${i}"}`,
        isDoomed: ({ dropAttribution }) => doomed && dropAttribution,
      });
    } else {
      entries.push(fixed(random.pick([`{"type":"text","text":"You are ${i}"}`, '"text"', '7'])));
    }
  }
  const inner = list(random, '[', entries, ']');
  return { render: (rules) => `"system":${inner(rules)}`, isDoomed: () => false };
}

/**
 * A list that leaves its doomed items out: each run of them goes with the separator before it, or with
 * the one behind where it stands at the front.
 */
function list(random: Random, open: string, items: readonly Member[], close: string): Render {
  const separators = items.map(() => random.pick([',', ',', ', ', ' ,', ',\n  ']));
  const pad = [random.pick(['', '', ' ']), random.pick(['', '', '\n'])];
  return (rules) => {
    let text = '';
    let isEmpty = true;
    for (const [index, item] of items.entries()) {
      if (item.isDoomed(rules)) continue;
      if (!isEmpty) text += separators[index];
      text += item.render(rules);
      isEmpty = false;
    }
    return `${open}${pad[0]}${text}${pad[1]}${close}`;
  };
}
