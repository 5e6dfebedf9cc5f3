/** What this room can not do, in a message for people that names the mend. */
export class SessionError extends Error {
  override readonly name = 'SessionError';
}
