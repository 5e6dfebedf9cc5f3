/**
 * fast-check with its seed fixed: the same commit is judged by the same cases wherever it is tested.
 * Others are tried by `make properties`, which sets `PROPERTY_SEED`; a property that fails prints the
 * seed that brings it back.
 */
import fc from 'fast-check';

const SEED = 20_261_127;
const given = process.env['PROPERTY_SEED'];
const seed = given === undefined ? SEED : Number(given);
if (!Number.isSafeInteger(seed)) throw new Error(`PROPERTY_SEED is a whole number, not ${given}`);
fc.configureGlobal({ seed });

export { default } from 'fast-check';
