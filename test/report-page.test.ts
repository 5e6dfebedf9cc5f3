/**
 * The report page in a real browser: it asks the network for nothing, runs nothing, says nothing on the
 * console, fits a screen and a phone, and shows each chart once, whatever names the ledger holds.
 */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { anomalyRecord } from '../src/ledger/fixtures.test.ts';
import { anomalyLine, usageLine } from '../src/ledger/lines.ts';
import type { UsageRecord } from '../src/ledger/record.ts';
import { startBrowser } from './support/browser.ts';
import { runCommand } from './support/command.ts';
import { tempHome } from './support/home.ts';
import { madeRecords } from './support/made-ledger.ts';

const HOSTILE = '<script>document.title="taken"</script><img src=x onerror="document.title=1">';
const CHARTS = 6;

function writeLedger(home: string, records: readonly UsageRecord[]): void {
  mkdirSync(path.join(home, 'logs'), { recursive: true });
  writeFileSync(path.join(home, 'logs', 'usage.jsonl'), records.map(usageLine).join('\n'));
  const anomaly = anomalyLine(anomalyRecord({ ts: 1_794_000_000, detail: HOSTILE }));
  writeFileSync(path.join(home, 'logs', 'anomalies.jsonl'), anomaly);
}

interface Opened {
  readonly page: Page;
  /** Requests beyond the page itself, and whatever was said on the console. */
  readonly noise: string[];
}

async function open(
  browser: Browser,
  file: string,
  width: number,
  colorScheme: 'light' | 'dark' = 'light',
): Promise<Opened> {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme });
  const page = await context.newPage();
  const noise: string[] = [];
  const url = pathToFileURL(file).href;
  page.on('console', (message) => noise.push(`console: ${message.text()}`));
  page.on('pageerror', (error) => noise.push(`error: ${error.message}`));
  page.on('request', (request) => {
    const known = request.url() === url || request.url() === 'data:,';
    if (!known) noise.push(`request: ${request.url()}`);
  });
  await page.goto(url);
  return { page, noise };
}

test('the page of a ledger stands alone in a browser, on a screen, on a phone and on paper', async (t) => {
  const browser = await startBrowser(t);
  if (typeof browser === 'string') return t.skip(browser);
  const home = await tempHome(t);
  const records = [...madeRecords({ seed: 11, count: 600 })].map((record, index) =>
    index % 50 === 0 ? { ...record, lane: 'local', model: HOSTILE } : record,
  );
  writeLedger(home, records);
  const made = await runCommand(['report', '--home', home], { home });
  assert.equal(made.code, 0, made.stderr);
  const file = path.join(home, 'results', 'report.html');
  assert(made.stdout.includes(file));

  for (const [width, scheme] of [
    [1280, 'light'],
    [1280, 'dark'],
    [375, 'light'],
  ] as const) {
    const { page, noise } = await open(browser, file, width, scheme);
    assert.deepEqual(noise, [], `${width} ${scheme}`);
    assert.match(await page.title(), /^Lanekeeper: 2026-/);
    assert.equal(await page.locator('figure').count(), CHARTS);
    assert.equal(await page.locator('figure svg:visible').count(), CHARTS);
    assert.equal(await page.locator('script, img').count(), 0);
    const fits = 'document.documentElement.scrollWidth <= innerWidth';
    assert.equal(await page.evaluate(fits), true, `wider than ${width}`);
    // No text of a drawing lies outside of it, where it would be cut or cover something.
    const outside = `[...document.querySelectorAll('figure svg')].filter((svg) => svg.checkVisibility())
      .flatMap((svg) => { const box = svg.getBoundingClientRect(); return [...svg.querySelectorAll('text')]
      .filter((text) => { const at = text.getBoundingClientRect(); return at.left < box.left - 1 || at.right > box.right + 1; })
      .map((text) => text.textContent); })`;
    assert.deepEqual(await page.evaluate(outside), [], `${width}`);
    const size = await page.screenshot({ fullPage: true });
    assert(size.length > 20_000);
    await page.context().close();
  }

  const { page } = await open(browser, file, 1280);
  await page.emulateMedia({ media: 'print' });
  assert.equal(await page.locator('figure svg:visible').count(), CHARTS);
  assert.equal(await page.locator('details:visible').count(), 0);
  assert((await page.pdf({ format: 'A4' })).length > 10_000);
});

test('the figures below the charts are those of the ledger', async (t) => {
  const browser = await startBrowser(t);
  if (typeof browser === 'string') return t.skip(browser);
  const home = await tempHome(t);
  const records = [...madeRecords({ seed: 12, count: 300 })];
  writeLedger(home, records);
  await runCommand(['report', '--home', home], { home });
  const { page } = await open(browser, path.join(home, 'results', 'report.html'), 1280);
  const cells = `[...document.querySelectorAll('figure')].map((figure) =>
    [...figure.querySelectorAll('tbody tr')].map((row) => [...row.cells].map((cell) => cell.textContent)))`;
  const [requests = []] = (await page.evaluate(cells)) as string[][][];
  const lanes = await page.locator('figure').first().locator('thead th').allTextContents();
  for (const [index, lane] of lanes.entries()) {
    if (index === 0) continue;
    const shown = requests.reduce((sum, row) => sum + Number(row[index]?.replace(',', '')), 0);
    assert.equal(shown, records.filter((record) => record.lane === lane).length, lane);
  }
  const drawn = await page.locator('figure').first().locator('svg.wide rect').count();
  assert.equal(
    drawn,
    requests.flatMap((row) => row.slice(1)).filter((cell) => cell !== '0').length,
  );
});

test('the page of an empty ledger says so', async (t) => {
  const browser = await startBrowser(t);
  if (typeof browser === 'string') return t.skip(browser);
  const home = await tempHome(t);
  writeLedger(home, []);
  const { code } = await runCommand(['report', '--home', home], { home });
  assert.equal(code, 0);
  const { page, noise } = await open(browser, path.join(home, 'results', 'report.html'), 800);
  assert.deepEqual(noise, []);
  assert.match((await page.locator('.verdict').textContent()) ?? '', /^Nothing recorded/);
  assert.equal(await page.locator('figure').count(), 0);
});
