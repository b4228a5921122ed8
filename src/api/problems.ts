/** Errors as the API answers them: an {@link ApiProblem} with the HTTP status of its code. */
import type { FastifyInstance } from 'fastify';
import { InvariantError } from '../base/assert.ts';
import type { ErrorCode } from '../base/error-codes.ts';
import { TakoError, messageOf } from '../base/tako-error.ts';
import type { Log } from '../ports/log.ts';
import type { ApiProblem } from '../protocol/api.ts';
import { httpStatusOf } from '../protocol/api-codes.ts';

export function handleProblems(app: FastifyInstance, log: Log): void {
  app.setNotFoundHandler(async (request, reply) => {
    const message = `Cannot answer ${request.method} ${request.url}: there is no such thing here`;
    return reply
      .status(404)
      .send(problem('bad-request', message, 'See docs/reference/cli.md for what there is'));
  });
  app.setErrorHandler(async (error, request, reply) => {
    if (error instanceof InvariantError) {
      // Nobody catches a broken invariant to go on: it ends the process.
      setImmediate(() => {
        throw error;
      });
    }
    if (error instanceof TakoError) {
      const { code, message, next } = error;
      return reply.status(httpStatusOf(code)).send(problem(code, message, next));
    }
    const status = statusOf(error);
    if (status >= 400 && status < 500) {
      const message = `Cannot answer ${request.method} ${request.url}: ${messageOf(error)}`;
      return reply
        .status(status)
        .send(problem('bad-request', message, 'Use a "tako" of the same version'));
    }
    log.error('request failed unexpectedly', { method: request.method, url: request.url, error });
    return reply
      .status(500)
      .send(problem('internal', `Something unexpected failed: ${messageOf(error)}`, 'See the log'));
  });
}

function problem(code: ErrorCode, message: string, next: string | undefined): ApiProblem {
  return { code, message, next };
}

function statusOf(error: unknown): number {
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined;
  return typeof status === 'number' ? status : 500;
}
