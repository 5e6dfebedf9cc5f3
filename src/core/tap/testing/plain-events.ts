/**
 * For tests: the events of a stream as the WHATWG HTML standard, section 9.2.6, interprets one, written
 * down plainly over the whole text.
 */

/** One event that was dispatched. */
export interface PlainEvent {
  readonly name: string;
  readonly data: string;
  /** It was named once more, data having come in between. */
  readonly renamed: boolean;
}

/** All events that have data and are ended by a blank line. */
export function plainEvents(bytes: Buffer): PlainEvent[] {
  const lines = bytes
    .toString('utf8')
    .replace(/^\ufeff/, '')
    .split(/\r\n|\n|\r/);
  lines.pop();
  const events: PlainEvent[] = [];
  let name = '';
  let renamed = false;
  let data: string[] = [];
  for (const line of lines) {
    if (line === '') {
      if (data.length > 0) events.push({ name, data: data.join('\n'), renamed });
      name = '';
      renamed = false;
      data = [];
      continue;
    }
    const [, field = line, rest = ''] = /^([^:]*):? ?([\s\S]*)$/.exec(line) ?? [];
    if (field === 'data') data.push(rest);
    if (field === 'event') {
      renamed ||= name !== '' && data.length > 0;
      name = rest;
    }
  }
  return events;
}
