/** The pieces of a WebAssembly module, by the binary format of WebAssembly 2.0. */

export const I32 = 0x7f;
export const I64 = 0x7e;
export const V128 = 0x7b;
export const NO_VALUE = 0x40;

export const BLOCK = 0x02;
export const LOOP = 0x03;
export const IF = 0x04;
export const END = 0x0b;
export const BR = 0x0c;
export const BR_IF = 0x0d;
export const RETURN = 0x0f;
export const CALL = 0x10;
export const SELECT = 0x1b;
export const GET = 0x20;
export const SET = 0x21;
export const TEE = 0x22;
export const I32_LOAD8_U = 0x2d;
export const I32_STORE = 0x36;
export const I32_STORE8 = 0x3a;
export const I32_CONST = 0x41;
export const I64_CONST = 0x42;
export const I32_EQZ = 0x45;
export const I32_EQ = 0x46;
export const I32_LT_S = 0x48;
export const I32_LT_U = 0x49;
export const I32_GE_U = 0x4f;
export const I64_EQZ = 0x50;
export const I64_LT_U = 0x54;
export const I32_ADD = 0x6a;
export const I32_SUB = 0x6b;
export const I32_OR = 0x72;
export const I32_SHL = 0x74;
export const I64_CTZ = 0x7a;
export const I64_ADD = 0x7c;
export const I64_AND = 0x83;
export const I64_OR = 0x84;
export const I64_XOR = 0x85;
export const I64_SHL = 0x86;
export const I32_WRAP = 0xa7;
export const I64_EXTEND_U = 0xad;
export const V128_LOAD: readonly number[] = [0xfd, 0x00];
export const V128_CONST: readonly number[] = [0xfd, 0x0c];
export const I8X16_EQ: readonly number[] = [0xfd, 0x23];
export const I8X16_BITMASK: readonly number[] = [0xfd, 0xe4, 0x00];

/** What is used of WebAssembly, which the types of Node leave to those of browsers. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

/** A function from some 32-bit integers to one. */
export interface WasmFunction {
  readonly name: string;
  readonly parameters: number;
  /** Runs of locals of one type, behind the parameters. */
  readonly locals: readonly { readonly count: number; readonly type: number }[];
  readonly body: readonly number[];
}

/** The index of a function is its place in the list. */
export interface WasmModule {
  readonly functions: readonly WasmFunction[];
  /** Pages of 64 KiB of its memory, which is exported as `memory`. */
  readonly pages: number;
}

/** Makes the module, and gives what it exports: its memory and all of its functions. */
export function instantiate(module: WasmModule): unknown {
  return new WebAssembly.Instance(new WebAssembly.Module(assemble(module))).exports;
}

/** A signed number in LEB128, as constants are written. */
export function leb(value: number | bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt(value);
  for (;;) {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    const isLast = (rest === 0n && (low & 0x40) === 0) || (rest === -1n && (low & 0x40) !== 0);
    bytes.push(isLast ? low : low | 0x80);
    if (isLast) return bytes;
  }
}

/** An unsigned number in LEB128, as sizes, indexes and offsets are written. */
export function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

function assemble({ functions, pages }: WasmModule): Uint8Array<ArrayBuffer> {
  const types = functions.map(({ parameters }) => [
    ...[0x60, parameters, ...new Array<number>(parameters).fill(I32), 1, I32],
  ]);
  const exported = functions.map(({ name }, index) => [...text(name), 0, index]);
  const code = functions.map(({ locals, body }) => {
    const runs = locals.map(({ count, type }) => [...unsigned(count), type]);
    const whole = [...vector(runs), ...body];
    return [...unsigned(whole.length), ...whole];
  });
  return Uint8Array.from([
    ...Buffer.from('\0asm'),
    ...[1, 0, 0, 0],
    ...section(1, vector(types)),
    ...section(3, vector(functions.map((_, index) => [index]))),
    ...section(5, vector([[0, ...unsigned(pages)]])),
    ...section(7, vector([[...text('memory'), 2, 0], ...exported])),
    ...section(10, vector(code)),
  ]);
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...unsigned(content.length), ...content];
}

function vector(items: readonly (readonly number[])[]): number[] {
  return [...unsigned(items.length), ...items.flat()];
}

function text(name: string): number[] {
  return [...unsigned(name.length), ...Buffer.from(name)];
}
