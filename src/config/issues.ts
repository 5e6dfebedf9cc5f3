/**
 * Problems out of zod's issues: each with the line of its setting, what was expected in the words of
 * the schema's own descriptions, and the nearest known name for an unknown one.
 */
import type { z } from 'zod';
import type { ConfigProblem } from './errors.ts';
import { shapeOf } from './errors.ts';
import type { SchemaNode } from './schema.ts';
import { suggestion } from './suggest.ts';

/** The way to a setting: names of keys and indexes of lists. */
export type SettingPath = readonly (string | number)[];

/** A file that problems can be placed in. */
export interface Place {
  readonly file: string;
  /** The line of a setting, or of the nearest one around it that exists; null for none. */
  lineOf(path: SettingPath): number | null;
}

/** A problem of a setting in a file. */
export function fileProblem(
  place: Place,
  path: SettingPath,
  message: string,
  mend: string,
): ConfigProblem {
  return {
    file: place.file,
    variable: null,
    line: place.lineOf(path),
    path: pathText(path),
    message,
    mend,
  };
}

/** A path as people write it: `routes[0].when.model`. */
export function pathText(path: SettingPath): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else text += text === '' ? shownName(part) : `.${shownName(part)}`;
  }
  return text;
}

/** No setting has a longer name; a key that was pasted where a name belongs has. */
const NAME_CHARS_SHOWN_MAX = 32;

function shownName(name: string): string {
  return name.length <= NAME_CHARS_SHOWN_MAX ? name : `(a name of ${name.length} characters)`;
}

type Issue = z.core.$ZodIssue;

/** What is needed to explain an issue. */
export interface IssueContext {
  readonly place: Place;
  /** The data that was checked. */
  readonly data: unknown;
  readonly schema: SchemaNode;
}

/** The problems that zod's issues stand for. */
export function explainIssues(issues: readonly Issue[], context: IssueContext): ConfigProblem[] {
  return issues.flatMap((issue) => explain(issue, [], context));
}

function explain(issue: Issue, base: SettingPath, context: IssueContext): ConfigProblem[] {
  const path = [...base, ...issue.path.map(asKey)];
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => unknownKey(path, key, context));
  }
  if (issue.code === 'invalid_union') {
    const branch = closestBranch(issue.errors);
    if (branch !== null) return branch.flatMap((inner) => explain(inner, path, context));
  }
  if (issue.code === 'invalid_key') {
    const rule = nodeAt(context.schema, path.slice(0, -1))?.propertyNames?.description;
    const message = 'this name is not allowed';
    return [fileProblem(context.place, path, message, rule ?? 'choose another name')];
  }
  const about = nodeAt(context.schema, path)?.description ?? 'see lanekeeper.schema.json';
  const value = valueAt(context.data, path);
  const message =
    value === undefined ? 'is missing' : `${expectation(issue)}, and is ${shapeOf(value)}`;
  return [fileProblem(context.place, path, message, about)];
}

function unknownKey(path: SettingPath, key: string, context: IssueContext): ConfigProblem {
  const known = Object.keys(propertiesAt(context.schema, path));
  const inCredentials = path.at(-1) === 'credentials' || path.at(-1) === 'token';
  const mend = inCredentials
    ? 'keys are not kept in the file: name the environment variable that holds it with env'
    : suggestion(key, known);
  return fileProblem(context.place, [...path, key], 'unknown setting', mend);
}

/** The branch of a union that the value was meant for: the one whose own type fits it. */
function closestBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] | null {
  const fits = (issues: readonly Issue[]): boolean =>
    !issues.some(
      (issue) =>
        issue.path.length === 0 &&
        (issue.code === 'invalid_type' || issue.code === 'invalid_value'),
    );
  return branches.find(fits) ?? null;
}

/** What a setting had to be, in words. */
function expectation(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${TYPE_WORDS[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return `must be ${issue.values.map(String).join(' or ')}`;
    case 'too_small':
      return issue.origin === 'array' || issue.origin === 'string'
        ? 'must not be empty'
        : `must be at least ${issue.minimum}`;
    case 'too_big':
      return issue.origin === 'string'
        ? `must be at most ${issue.maximum} characters long`
        : `must be at most ${issue.maximum}`;
    case 'invalid_union':
      return `must be ${alternatives(issue.errors).join(' or ')}`;
    default:
      return 'does not have the form that is needed';
  }
}

/** What each branch of a union would have taken, types before values. */
function alternatives(branches: readonly (readonly Issue[])[]): string[] {
  const roots = branches.flatMap((issues) => issues.filter(({ path }) => path.length === 0));
  const types = roots.flatMap((issue) =>
    issue.code === 'invalid_type' ? [TYPE_WORDS[issue.expected] ?? issue.expected] : [],
  );
  const values = roots.flatMap((issue) =>
    issue.code === 'invalid_value' ? issue.values.map(String) : [],
  );
  return [...types, ...values];
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  object: 'a map',
  record: 'a map',
  array: 'a list',
  string: 'a text',
  int: 'a whole number',
  number: 'a whole number',
};

function propertiesAt(schema: SchemaNode, path: SettingPath): Readonly<Record<string, SchemaNode>> {
  return nodeAt(schema, path)?.properties ?? {};
}

function nodeAt(schema: SchemaNode, path: SettingPath): SchemaNode | null {
  let node: SchemaNode = schema;
  for (const part of path) {
    const next = childOf(node, part);
    if (next === null) return null;
    node = next;
  }
  // The map of a union is the branch that has settings to name.
  const branch = node.anyOf?.find((candidate) => candidate.properties !== undefined);
  return branch === undefined ? node : { ...branch, ...node };
}

function childOf(node: SchemaNode, part: string | number): SchemaNode | null {
  if (typeof part === 'number') return node.items ?? null;
  for (const candidate of [node, ...(node.anyOf ?? [])]) {
    const properties = candidate.properties ?? {};
    const property = Object.hasOwn(properties, part) ? properties[part] : undefined;
    if (property !== undefined) return property;
    if (typeof candidate.additionalProperties === 'object') return candidate.additionalProperties;
  }
  return null;
}

function valueAt(data: unknown, path: SettingPath): unknown {
  let value = data;
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) {
      return undefined;
    }
    value = (value as Record<string | number, unknown>)[part];
  }
  return value;
}

function asKey(part: PropertyKey): string | number {
  return typeof part === 'number' ? part : String(part);
}
