/**
 * Texts of strangers in everything that is written of them: names of models, paths and ids that an agent or
 * an upstream chose reach the terminal, Markdown and HTML as text, and nothing that they could be besides.
 */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { anomalyRecord } from '../src/ledger/fixtures.test.ts';
import { anomalyLine, usageLine } from '../src/ledger/lines.ts';
import type { AnomalyRecord, UsageRecord } from '../src/ledger/record.ts';
import { runCommand } from './support/command.ts';
import { tempHome } from './support/home.ts';
import { madeRecords } from './support/made-ledger.ts';

const LIMIT = { timeout: 120_000 };
/** Escape sequences, one of 8 bits, a bell, a mark that turns the direction, a line separator. */
const STEERING = '\u001b[2J\u001b]8;;http://evil.example\u0007\u009b31m\u202e\u2028\u0000';
const STEERS =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/;
const HOSTILE = [
  `<script>alert(1)</script><img src=x onerror=alert(1)>${STEERING}`,
  `a | b | c\n| --- | --- |\n# heading\n- [x] **met**: \`code\`\r\n`,
  '[link](javascript:alert(1)) ![image](http://evil.example/x.png) <http://evil.example>',
  '=HYPERLINK("http://evil.example")&amp;&#60;b&#62;~~x~~\\|\\\\|',
  `'; DROP TABLE usage; -- $(touch pwned) \`touch pwned\` %s %n {{7*7}} \${7*7}`,
  '../../../../etc/passwd',
  ...['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', ''],
];

/** A cell boundary of a Markdown table: a bar that is not escaped. */
function cellsOf(line: string): number {
  return line.replace(/\\./g, '').split('|').length;
}

/** Problems of a Markdown document as text: what of the names became more than text. */
function markdownProblems(text: string): string[] {
  const problems: string[] = [];
  // What stands in a fence is no markup, as long as it can not end it: each of its lines is an object.
  const bare = text.replace(/^```jsonl\n(?:\{.*\n)*```$/gm, '').replace(/\\./g, '');
  if (/<(?:script|img|http|b\b)/i.test(bare)) problems.push('an element');
  if (/\]\((?:javascript:|http:\/\/evil)/.test(bare)) problems.push('a link');
  if (/^# heading/m.test(text)) problems.push('a heading');
  if (STEERS.test(text)) problems.push('what steers');
  const tables = text.split(/\n(?!\|)/).filter((block) => block.startsWith('|'));
  for (const table of tables) {
    const lines = table.split('\n').filter((line) => line.startsWith('|'));
    const columns = new Set(lines.map(cellsOf));
    if (columns.size > 1) problems.push(`a table with rows of ${[...columns].join(' and ')} cells`);
  }
  return problems;
}

function hostileRecords(): UsageRecord[] {
  const records = [...madeRecords({ seed: 21, count: HOSTILE.length * 4 })];
  return records.map((record, index) => {
    const text = HOSTILE[index % HOSTILE.length] ?? '';
    const lane = index % 4 === 0 ? { lane: text, upstream: text } : {};
    return {
      ...{ ...record, ...lane, rid: text, model: text, model_sent: text, model_served: text },
      ...{ path: `/${text}`, request_id: text, decision: `rule:${text}`, err_type: text },
    } as UsageRecord;
  });
}

function hostileAnomalies(): AnomalyRecord[] {
  return HOSTILE.map((text) => {
    const names = { kind: text, code: text, detail: text, lane: text } as Partial<AnomalyRecord>;
    return anomalyRecord({ ts: 1_794_000_000, ...names });
  });
}

test('whatever names a ledger holds, what is made of it shows them as text', LIMIT, async (t) => {
  const home = await tempHome(t);
  const logs = path.join(home, 'logs');
  mkdirSync(logs);
  writeFileSync(path.join(logs, 'usage.jsonl'), `${hostileRecords().map(usageLine).join('\n')}\n`);
  const anomalies = `${hostileAnomalies().map(anomalyLine).join('\n')}\n`;
  writeFileSync(path.join(logs, 'anomalies.jsonl'), anomalies);
  for (const args of [
    ...[['summarize'], ['cost'], ['cost', '--json'], ['report'], ['gates'], ['handoff']],
    ['verify', 'routing'],
  ]) {
    const { stdout, stderr } = await runCommand(args, { home });
    const name = args.join(' ');
    assert.notEqual(stdout + stderr, '', name);
    assert.doesNotMatch(stdout + stderr, STEERS, name);
    assert.doesNotMatch(stdout + stderr, /failed inside/, name);
  }
  const documents = (readdirSync(home, { recursive: true }) as string[]).filter((name) => {
    return name.endsWith('.md');
  });
  for (const name of [
    'results/SUMMARY.md',
    'docs/P0-EXIT-CRITERIA.md',
    'docs/SESSION_HANDOFF.md',
  ]) {
    assert(documents.includes(name), `${name} is not among ${documents.join(' ')}`);
  }
  for (const name of documents) {
    assert.deepEqual(markdownProblems(readFileSync(path.join(home, name), 'utf8')), [], name);
  }
  for (const name of ['results/METRICS.json', 'logs/usage.jsonl', 'logs/anomalies.jsonl']) {
    assert(!STEERS.test(readFileSync(path.join(home, name), 'utf8')), name);
  }
  const page = readFileSync(path.join(home, 'results', 'report.html'), 'utf8');
  assert(!/<script|<img|href="(?:javascript|http)/i.test(page), 'the page holds an element');
  assert(!STEERS.test(page), 'the page holds what steers');
  // A policy of its own lets the page load and run nothing, should something slip through.
  assert.match(
    page,
    /<meta http-equiv="Content-Security-Policy" content="default-src &#39;none&#39;/,
  );
  // Counted as what they are called, those of Object's own properties too.
  const metrics = JSON.parse(readFileSync(path.join(home, 'results', 'METRICS.json'), 'utf8')) as {
    by: { model: Record<string, { exchanges: number }> };
  };
  for (const text of ['__proto__', 'constructor', 'toString', HOSTILE[4] ?? '']) {
    const entry = Object.entries(metrics.by.model).find(([key]) => key === text);
    assert.equal(entry?.[1].exchanges, 4, text);
  }
  assert(!readdirSync(home).includes('pwned'));
});
