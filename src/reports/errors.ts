/** What a report can not do, in a message for people that names the mend. */
export class ReportError extends Error {
  override readonly name = 'ReportError';
}
