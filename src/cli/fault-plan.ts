/** Reads a fault plan of the twin from a file. */
import { readFileSync } from 'node:fs';

import { type FaultPlan, FaultPlanError, parsePlan } from '../twin/index.ts';
import { CliError, EXIT } from './failure.ts';

/**
 * A plan is bad configuration like any other: the same form, the same exit code.
 *
 * @throws CliError
 */
export async function readFaultPlan(file: string): Promise<FaultPlan> {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : 'unknown';
    const mend = 'name a file that you can read with --faults';
    throw new CliError(`${file} can not be read (${code})\n  mend: ${mend}`, EXIT.config);
  }
  try {
    return await parsePlan(text, file);
  } catch (error) {
    if (error instanceof FaultPlanError) throw new CliError(error.message, EXIT.config);
    throw error;
  }
}
