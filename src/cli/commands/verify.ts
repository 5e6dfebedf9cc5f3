/** `verify WHAT`: one check on demand. Exit code 1 on a finding. */
import { EXIT } from '../failure.ts';
import { type VerifyIsolationOptions, verifyIsolation } from '../verify/isolation.ts';
import { type VerifyRoutingOptions, verifyRouting } from '../verify/routing.ts';
import { type VerifySseOptions, verifySse } from '../verify/sse.ts';

type Verified = 'sse' | 'routing' | 'isolation';

type VerifyOptions = VerifyIsolationOptions & VerifyRoutingOptions & VerifySseOptions;

export async function verify(options: VerifyOptions, args: readonly string[]): Promise<number> {
  const ok = await check(args[0] as Verified, options);
  return ok ? EXIT.done : EXIT.failed;
}

function check(what: Verified, options: VerifyOptions): Promise<boolean> {
  switch (what) {
    case 'routing':
      return verifyRouting(options);
    case 'sse':
      return verifySse(options);
    case 'isolation':
      return verifyIsolation(options);
  }
}
