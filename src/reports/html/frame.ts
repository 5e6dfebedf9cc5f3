/**
 * What all charts share: a figure with its title, legend and figures as a table, and in it the drawing
 * twice, wide and narrow, of which the style sheet shows the one that fits. Drawn once for both, text
 * would be too small to read on a phone.
 */
import { type Markup, markup } from './markup.ts';

/** Widths that charts are drawn for, in CSS pixels. */
export const WIDE = 530;
const NARROW = 310;

/** An entry of a legend: a class of `style.css` that gives the colour, and what it stands for. */
export interface Key {
  readonly tone: string;
  readonly name: string;
}

export interface Figure {
  readonly title: string;
  /** What it says in words, for those who do not see it. */
  readonly description: string;
  readonly legend: readonly Key[];
  /** Draws the inside for a width. */
  readonly draw: (width: number) => Drawing;
  readonly note?: Markup | null;
  readonly table: readonly (readonly string[])[];
}

export interface Drawing {
  readonly height: number;
  readonly content: readonly Markup[];
}

/** The tone of the series at a place; there are eight, then they begin anew. */
export function toneOf(index: number): string {
  return `tone-${index % 8}`;
}

/** The figure as HTML. */
export function figure({ title, description, legend, draw, note, table }: Figure): Markup {
  return markup`<figure>
<figcaption>${title}</figcaption>
${legendOf(legend)}${[WIDE, NARROW].map((width) => svg(width, draw(width), `${title}: ${description}`))}
${note ?? null}${tableOf(table)}
</figure>
`;
}

/** Figures as a table, the first row its head. */
export function dataTable(rows: readonly (readonly string[])[]): Markup {
  const [head = [], ...body] = rows;
  return markup`<div class="scroll"><table><thead><tr>${head.map(
    (cell) => markup`<th scope="col">${cell}</th>`,
  )}</tr></thead><tbody>${body.map(
    ([first = '', ...rest]) =>
      markup`<tr><th scope="row">${first}</th>${rest.map((cell) => markup`<td>${cell}</td>`)}</tr>`,
  )}</tbody></table></div>`;
}

function tableOf(rows: readonly (readonly string[])[]): Markup | null {
  if (rows.length < 2) return null;
  return markup`<details><summary>Figures</summary>${dataTable(rows)}</details>`;
}

function legendOf(keys: readonly Key[]): Markup | null {
  if (keys.length === 0) return null;
  const entries = keys.map(({ tone, name }) => markup`<li><i class="${tone}"></i>${name}</li>`);
  return markup`<ul class="legend">${entries}</ul>\n`;
}

function svg(width: number, { height, content }: Drawing, label: string): Markup {
  const size = width === WIDE ? 'wide' : 'narrow';
  return markup`<svg class="${size}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${label}">${content}</svg>`;
}
