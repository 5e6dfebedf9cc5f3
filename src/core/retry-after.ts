/**
 * How long an answer asks to wait: `Retry-After` (RFC 9110 section 10.2.3), as seconds or as a date,
 * and `retry-after-ms`, which the Messages API adds and which goes first because it is finer.
 *
 * The date is read in the three forms that section 5.6.7 asks a recipient to accept, and in no other:
 * `Date.parse` would make a date of almost anything.
 */
import { fieldValue } from './fields.ts';
import type { Fields } from './message.ts';

const MS_PER_SECOND = 1000;
const DECIMAL = /^\d+(?:\.\d+)?$/;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const TIME = '(?<hour>\\d{2}):(?<minute>\\d{2}):(?<second>\\d{2})';
const MONTH = `(?<month>${MONTHS.join('|')})`;
const SHORT_DAY = '(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)';
const LONG_DAY = '(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day';
/** IMF-fixdate, RFC 850, asctime. */
const DATES = [
  new RegExp(`^${SHORT_DAY}, (?<day>\\d{2}) ${MONTH} (?<year>\\d{4}) ${TIME} GMT$`),
  new RegExp(`^${LONG_DAY}, (?<day>\\d{2})-${MONTH}-(?<year>\\d{2}) ${TIME} GMT$`),
  new RegExp(`^${SHORT_DAY} ${MONTH} (?<day>[ \\d]\\d) ${TIME} (?<year>\\d{4})$`),
];

/**
 * The wait asked for in ms, at least 0; null where none is asked for or it can not be read.
 *
 * @param wallMs the present time, Unix milliseconds, from which a date is counted
 */
export function retryAfterMs(fields: Fields, wallMs: number): number | null {
  const fine = fieldValue(fields, 'retry-after-ms')?.trim();
  if (fine !== undefined && DECIMAL.test(fine)) return whole(Number(fine));
  const coarse = fieldValue(fields, 'retry-after')?.trim();
  if (coarse === undefined) return null;
  if (DECIMAL.test(coarse)) return whole(Number(coarse) * MS_PER_SECOND);
  const at = httpDateMs(coarse, wallMs);
  return at === null ? null : Math.max(0, at - Math.trunc(wallMs));
}

function whole(ms: number): number {
  return Math.min(Math.ceil(ms), Number.MAX_SAFE_INTEGER);
}

/** Unix milliseconds of an HTTP-date, or null where it is none. */
function httpDateMs(text: string, wallMs: number): number | null {
  for (const form of DATES) {
    const parts = form.exec(text)?.groups;
    if (parts !== undefined) return dateOf(parts, wallMs);
  }
  return null;
}

function dateOf(parts: Record<string, string>, wallMs: number): number | null {
  const yearText = parts['year'] ?? '';
  const month = MONTHS.indexOf(parts['month'] ?? '');
  const [day, hour, minute, second] = ['day', 'hour', 'minute', 'second'].map((name) =>
    Number(parts[name]),
  ) as [number, number, number, number];
  // 60 is a leap second (RFC 5322 section 3.3); Date counts it as the next one.
  if (hour > 23 || minute > 59 || second > 60) return null;
  const at = (year: number): number => Date.UTC(year, month, day, hour, minute, second);
  const year = yearText.length === 2 ? fullYear(Number(yearText), at, wallMs) : Number(yearText);
  const daysInMonth = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
  return day >= 1 && day <= daysInMonth ? at(year) : null;
}

/** A two-digit year: the latest that is not more than 50 years ahead (RFC 9110 section 5.6.7). */
function fullYear(short: number, at: (year: number) => number, wallMs: number): number {
  const now = new Date(wallMs);
  const thisYear = now.getUTCFullYear();
  const ahead = new Date(wallMs).setUTCFullYear(thisYear + 50);
  let year = thisYear - (thisYear % 100) + 100 + short;
  while (at(year) > ahead) year -= 100;
  return year;
}
