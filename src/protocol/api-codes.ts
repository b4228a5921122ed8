/** How an error code shows at the edges: as HTTP status of the API and as exit code of the CLI. */
import { ERROR_CODES, type ErrorCode } from '../base/error-codes.ts';

/** The exit codes of `tako`, as documented in `docs/reference/cli.md`. */
export const EXIT = {
  ok: 0,
  failed: 1,
  /** Wrong words on the command line, or a configuration that cannot be used. */
  usage: 2,
  notRunning: 3,
  notPermitted: 4,
  /** It did not end in time: nobody knows yet how it ended. */
  unknown: 5,
} as const;

/** Of those codes that are not a server's fault (500). */
const HTTP_STATUS: Readonly<Partial<Record<ErrorCode, number>>> = {
  'bad-request': 400,
  'not-root': 403,
  'no-such-group': 404,
  'no-such-node': 404,
  busy: 409,
  'not-owner': 409,
  'copy-stale': 409,
  'hook-vetoed': 409,
  'no-node': 409,
  'in-maintenance': 409,
  'runs-everywhere': 409,
  'not-forced': 409,
  'version-unsupported': 409,
  'config-invalid': 422,
  'config-unreadable': 422,
  'key-unusable': 422,
  'no-quorum': 503,
  'not-running': 503,
  'timed-out': 504,
};

const EXIT_CODES: Readonly<Partial<Record<ErrorCode, number>>> = {
  'bad-request': EXIT.usage,
  'no-such-group': EXIT.usage,
  'no-such-node': EXIT.usage,
  'config-invalid': EXIT.usage,
  'config-unreadable': EXIT.usage,
  'key-unusable': EXIT.usage,
  'not-running': EXIT.notRunning,
  'not-root': EXIT.notPermitted,
  'timed-out': EXIT.unknown,
};

export function httpStatusOf(code: ErrorCode): number {
  return HTTP_STATUS[code] ?? 500;
}

export function exitCodeOf(code: ErrorCode): number {
  return EXIT_CODES[code] ?? EXIT.failed;
}

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERROR_CODES, text);
}
