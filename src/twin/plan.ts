/**
 * Reads a fault plan, from the text of a file or the value of a caller, and refuses it whole where
 * anything in it is unknown or wrong: each problem with its line and its mend.
 *
 * `yaml` and `zod` are loaded only when there is a plan.
 */
import type { Document, LineCounter } from 'yaml';
import type { z } from 'zod';
import type { FaultPlan } from './plan-schema.ts';

/** One fault of a plan. */
export interface PlanProblem {
  /** Line in the text, from 1; null where there is no text or no place in it. */
  readonly line: number | null;
  /** The setting, such as `rules[0].fault.ms`; empty for the plan as a whole. */
  readonly path: string;
  readonly message: string;
  readonly mend: string;
}

/** A plan that can not be used. Its message prints every problem. */
export class FaultPlanError extends Error {
  override readonly name = 'FaultPlanError';
  readonly problems: readonly PlanProblem[];

  /** @param source where the plan came from, for the message */
  constructor(problems: readonly PlanProblem[], source = 'faults') {
    super(render(problems, source));
    this.problems = problems;
  }
}

type Path = readonly PropertyKey[];
type LineOf = (path: Path) => number | null;

/**
 * Checks a plan that is there already.
 *
 * @throws FaultPlanError (rejected)
 */
export function checkPlan(plan: unknown): Promise<FaultPlan> {
  return check(plan, () => null, 'faults');
}

/**
 * Reads a plan out of YAML or JSON.
 *
 * @param source the file's name, for messages
 * @throws FaultPlanError (rejected)
 */
export async function parsePlan(text: string, source = 'faults'): Promise<FaultPlan> {
  const yaml = await import('yaml');
  const lines = new yaml.LineCounter();
  const document = yaml.parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    stringKeys: true,
  });
  const problems = [...document.errors, ...document.warnings].map(
    (error): PlanProblem => ({
      line: lines.linePos(error.pos[0]).line,
      path: '',
      message: `is not valid YAML: ${error.message}`,
      mend: 'correct this line; a glob stands in quotes, "*haiku*"',
    }),
  );
  if (problems.length > 0) throw new FaultPlanError(problems, source);
  return check(planIn(document, source), (path) => lineOf(document, lines, path, yaml), source);
}

/** The plan as a value; aliases are what may still be wrong with it. */
function planIn(document: Document, source: string): unknown {
  try {
    return document.toJS();
  } catch (error) {
    const message = `can not be put together: ${error instanceof Error ? error.message : error}`;
    const mend = 'write out what the aliases stand for; a glob stands in quotes, "*haiku*"';
    throw new FaultPlanError([{ line: null, path: '', message, mend }], source);
  }
}

async function check(data: unknown, line: LineOf, source: string): Promise<FaultPlan> {
  const schema = await import('./plan-schema.ts');
  const checked = schema.planSchema.safeParse(data ?? {});
  if (checked.success) return checked.data;
  const problems = checked.error.issues.flatMap((issue) => explain(issue, data, line, schema));
  throw new FaultPlanError(
    problems.sort((a, b) => (a.line ?? 0) - (b.line ?? 0)),
    source,
  );
}

type Schema = typeof import('./plan-schema.ts');

function explain(
  issue: z.core.$ZodIssue,
  data: unknown,
  line: LineOf,
  { settingAt }: Schema,
): PlanProblem[] {
  const { path } = issue;
  const kind = valueAt(data, [...path.slice(0, 2), 'fault', 'kind']);
  const setting = settingAt(path, kind);
  const problem = (at: Path, message: string, mend: string): PlanProblem => ({
    line: line(at),
    path: pathText(at),
    message,
    mend,
  });
  if (issue.code === 'unrecognized_keys') {
    const mend = `known here: ${setting.names.join(', ')}`;
    return issue.keys.map((key) => problem([...path, key], 'unknown setting', mend));
  }
  const value = valueAt(data, path);
  const found = value === undefined ? 'is missing' : `can not be ${shown(value)}`;
  const message = issue.code === 'custom' ? issue.message : found;
  const mend = setting.description ?? `see docs/twin.md; known here: ${setting.names.join(', ')}`;
  return [problem(path, message, issue.code === 'custom' ? 'leave it out' : mend)];
}

function valueAt(data: unknown, path: Path): unknown {
  let value = data;
  for (const part of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part))
      return undefined;
    value = (value as Readonly<Record<PropertyKey, unknown>>)[part];
  }
  return value;
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object') return value === null ? 'nothing' : 'this map';
  return JSON.stringify(value).slice(0, 80);
}

function pathText(path: Path): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else text += text === '' ? String(part) : `.${String(part)}`;
  }
  return text;
}

type Yaml = typeof import('yaml');

/** The line of the setting at a path, or of the nearest one around it that exists. */
function lineOf(document: Document, lines: LineCounter, path: Path, yaml: Yaml): number | null {
  let node: unknown = document.contents;
  let offset: number | null = null;
  for (const part of path) {
    let next: unknown;
    let mark: unknown;
    if (yaml.isMap(node)) {
      const pair = node.items.find((item) => yaml.isScalar(item.key) && item.key.value === part);
      mark = pair?.key;
      next = pair?.value;
    } else if (yaml.isSeq(node) && typeof part === 'number') {
      next = node.items[part];
      mark = next;
    }
    if (!yaml.isNode(mark)) break;
    offset = mark.range?.[0] ?? offset;
    node = next;
  }
  return offset === null ? null : lines.linePos(offset).line;
}

function render(problems: readonly PlanProblem[], source: string): string {
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  const lines = problems.map(({ line, path, message, mend }) => {
    const place = `${source}${line === null ? '' : `:${line}`}${path === '' ? '' : ` ${path}`}`;
    return `  ${place}: ${message}\n    mend: ${mend}`;
  });
  return [`the fault plan has ${count}`, ...lines].join('\n');
}
