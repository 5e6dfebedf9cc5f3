/** What a report can not do, in a message for people that names the mend. */
export class ReportError extends Error {
  override readonly name: string = 'ReportError';
}

/** A price table that can not be used: bad configuration, by the exit code of the contract. */
export class PriceTableError extends ReportError {
  override readonly name = 'PriceTableError';
  readonly exitCode = 78;
}
