/** Hooks that are web servers, with real ones on the loopback address. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type HookAnswer, type HookCall, answersAt } from '../../protocol/hook.ts';
import type { Epoch, GroupId, NodeId } from '../../protocol/ids.ts';
import { postHook } from './post-hook.ts';

type Serve = (request: IncomingMessage, response: ServerResponse, body: string) => void;

const CALL: HookCall = {
  event: 'before-start',
  group: 'db' as GroupId,
  node: 'n1' as NodeId,
  epoch: 4 as Epoch,
  cause: 'failover',
  from: 'n2' as NodeId,
  to: 'n1' as NodeId,
  reason: 'n2 is lost',
  answers: answersAt('before-start', true),
  timeoutMs: 2000,
};

let server: Server;
let serve: Serve;
let folder = '';
let seen: { readonly method: string; readonly path: string; readonly body: string }[] = [];

beforeEach(async () => {
  seen = [];
  folder = mkdtempSync(join(tmpdir(), 'tako-post-'));
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (part: Buffer) => (body += part.toString()));
    request.on('end', () => {
      seen.push({ method: request.method ?? '', path: request.url ?? '', body });
      serve(request, response, body);
    });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => {
    server.close(resolve);
  });
  rmSync(folder, { recursive: true });
});

function url(path = '/tako?key=geheim'): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;
}

function post(
  given: Serve,
  how: { readonly timeoutMs?: number; readonly tokenFile?: string } = {},
): Promise<HookAnswer> {
  serve = given;
  const { timeoutMs = 2000, tokenFile } = how;
  return postHook({ url: url(), tokenFile, caFile: undefined }, { ...CALL, timeoutMs });
}

function answering(status: number, body: string, headers = {}): Serve {
  return (_request, response) => {
    response.writeHead(status, headers);
    response.end(body);
  };
}

describe('a web server that is asked', () => {
  test('gets the JSON and answers', async () => {
    const answer = await post(answering(200, '{"answer":"veto","reason":"change freeze"}'));
    expect(answer).toMatchObject({ word: 'veto', reason: 'change freeze' });
    expect(seen).toEqual([
      { method: 'POST', path: '/tako?key=geheim', body: JSON.stringify(CALL) },
    ]);
    expect((await post(answering(204, ''))).word).toBe('go');
  });

  test('is sent the secret of the file, which nobody else may be able to read', async () => {
    const tokenFile = join(folder, 'token');
    writeFileSync(tokenFile, 's3cret\n', { mode: 0o600 });
    let got: string | undefined;
    const look: Serve = (request, response) => {
      got = request.headers.authorization;
      response.end();
    };
    expect((await post(look, { tokenFile })).word).toBe('go');
    expect(got).toBe('Bearer s3cret');
    chmodSync(tokenFile, 0o644);
    const refused = await post(look, { tokenFile });
    expect(refused.word).toBe('none');
    expect(refused.reason).toContain('can be read by others');
    expect(seen).toHaveLength(1);
    expect(JSON.stringify(refused)).not.toContain('s3cret');
  });

  test('is not followed to another place', async () => {
    const answer = await post(answering(307, '', { location: url('/elsewhere') }));
    expect(answer).toMatchObject({ word: 'none', reason: 'it answered with HTTP status 307' });
    expect(seen.map(({ path }) => path)).toEqual(['/tako?key=geheim']);
  });

  test.each([
    ['an error', answering(503, 'busy')],
    ['something else', answering(200, '<html>')],
    ['too much', answering(200, 'x'.repeat(100_000))],
    [
      'half of it',
      ((_q, response) => {
        response.writeHead(200, { 'content-length': 100 });
        response.write('{"answer"');
        setTimeout(() => response.destroy(), 10);
      }) satisfies Serve,
    ],
    ['nothing, and hangs up', ((request) => request.socket.destroy()) satisfies Serve],
  ])('gives no answer when it says %s', async (_what, how) => {
    const answer = await post(how);
    expect(answer.word).toBe('none');
    expect(JSON.stringify(answer)).not.toContain('geheim');
  });

  test.each([
    ['never answers', (() => undefined) satisfies Serve],
    [
      'drips',
      ((_q, response) => {
        const timer = setInterval(() => response.write(' '), 20);
        response.on('close', () => clearInterval(timer));
      }) satisfies Serve,
    ],
  ])('is given up at the limit when it %s', async (_what, how) => {
    const begun = performance.now();
    const answer = await post(how, { timeoutMs: 300 });
    expect(answer).toMatchObject({ word: 'none', reason: 'it did not answer within 300 ms' });
    expect(performance.now() - begun).toBeLessThan(3000);
  });

  test('is no answer when nobody listens', async () => {
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => {
      server.close(resolve);
    });
    const gone = { url: `http://127.0.0.1:${port}/`, tokenFile: undefined, caFile: undefined };
    expect(await postHook(gone, CALL)).toMatchObject({ word: 'none' });
    server = createServer();
  });
});
