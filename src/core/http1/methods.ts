/**
 * The methods that are let in: those of the IANA registry that node:http knows too, and the few more
 * that it knows.
 *
 * RFC 9110 section 9.1 leaves methods open. The list is closed here because a method that nobody
 * uses is more often the rest of a smuggled message (`GPOST`) than a new one, and so that nothing is
 * accepted that node:http would refuse.
 */
const METHODS: ReadonlySet<string> = new Set(
  (
    'GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH QUERY ' +
    'ACL BIND CHECKOUT COPY LINK LOCK M-SEARCH MERGE MKACTIVITY MKCALENDAR MKCOL MOVE NOTIFY ' +
    'PROPFIND PROPPATCH PURGE PUT REBIND REPORT SEARCH SOURCE SUBSCRIBE UNBIND UNLINK UNLOCK ' +
    'UNSUBSCRIBE'
  ).split(' '),
);

/** True for a method that is let in; methods are case-sensitive (RFC 9110 section 9.1). */
export function isMethod(text: string): boolean {
  return METHODS.has(text);
}
