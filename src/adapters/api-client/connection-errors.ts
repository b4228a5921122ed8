/** What a failed exchange with the API means to a person, as a `TakoError`. */
import { messageOf, TakoError } from '../../base/tako-error.ts';
import type { ApiProblem } from '../../protocol/api.ts';
import { isErrorCode } from '../../protocol/api-codes.ts';

/** The error that the body of an answer tells. */
export function toError(body: string, status: number | undefined): TakoError {
  const problem = parseAnswer(body) as Partial<ApiProblem> | null;
  const code = problem?.code ?? '';
  const message = problem?.message ?? `The API answered with status ${status ?? 'unknown'}`;
  return new TakoError(isErrorCode(code) ? code : 'internal', message, { next: problem?.next });
}

export function parseAnswer(body: string): unknown {
  try {
    return JSON.parse(body) as unknown;
  } catch (error) {
    throw malformedAnswer(messageOf(error), error);
  }
}

export function malformedAnswer(what: string, cause?: unknown): TakoError {
  return new TakoError('internal', `Cannot understand the answer of Tako: ${what}`, {
    next: 'Use the "tako" command of the same version as the running Tako',
    cause,
  });
}

/** What went wrong between here and the socket. */
export function explainConnection(error: unknown, socketPath: string): TakoError {
  if (error instanceof TakoError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'EACCES' || code === 'EPERM') {
    return new TakoError('not-root', `Cannot open "${socketPath}": only root may steer Tako`, {
      next: 'Run the same command with sudo',
      cause: error,
    });
  }
  const found = FOUND[code] ?? messageOf(error);
  return new TakoError('not-running', `Cannot reach Tako at "${socketPath}": ${found}`, {
    next:
      'Start it with "systemctl start tako" or "tako run --config FILE"; if it was just started, ' +
      'wait a moment; if it runs with another run directory, name that with --run-dir',
    cause: error,
  });
}

const FOUND: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such socket',
  ECONNREFUSED: 'nobody answers there',
  ECONNRESET: 'the connection broke',
};
