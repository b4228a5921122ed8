/** Hooks that are web servers behind TLS, with a real one on the loopback address. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type Server, createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type HookAnswer, type HookCall, answersAt } from '../../protocol/hook.ts';
import type { Epoch, GroupId, NodeId } from '../../protocol/ids.ts';
import { postHook } from './post-hook.ts';

/** Of nobody but this test: it vouches for itself, as 127.0.0.1, for a hundred years. */
const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgCezq6wPYzjHr3/F0
MtSdEhzrv6SoYgFnQNwE12HF9iGhRANCAARXdN238mx37uT3UU4g/oM3/ChwKUxT
prG5YHdvBIBAzxzEO1rHgubtah9h/NEp53q7i3hja6RgDA1aPsy3szRi
-----END PRIVATE KEY-----
`;
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBhTCCASygAwIBAgIUKFCpc53JZprA54k8YwVuXkY7lxYwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEaG9vazAgFw0yNjExMjMwMDE0NDZaGA8yMTI2MTAzMDAwMTQ0
NlowDzENMAsGA1UEAwwEaG9vazBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABFd0
3bfybHfu5PdRTiD+gzf8KHApTFOmsblgd28EgEDPHMQ7WseC5u1qH2H80SnneruL
eGNrpGAMDVo+zLezNGKjZDBiMB0GA1UdDgQWBBT1KMiNG6Hyx+q3XMeOJpC/l5eB
FzAfBgNVHSMEGDAWgBT1KMiNG6Hyx+q3XMeOJpC/l5eBFzAPBgNVHRMBAf8EBTAD
AQH/MA8GA1UdEQQIMAaHBH8AAAEwCgYIKoZIzj0EAwIDRwAwRAIgM5EQ9qFQ/ETG
ylqrpgXxOsFrio36aSoKPjzj1MqU2dYCIAn9EYtqF+xDZOGviIYKCccB5z5zPYvP
rD1C7F9VG3EL
-----END CERTIFICATE-----
`;

const CALL: HookCall = {
  event: 'after-start',
  group: 'db' as GroupId,
  node: 'n1' as NodeId,
  epoch: 4 as Epoch,
  cause: 'failover',
  from: 'n2' as NodeId,
  to: 'n1' as NodeId,
  reason: 'n2 is lost',
  answers: answersAt('after-start', true),
  timeoutMs: 2000,
};

let server: Server;
let folder = '';
let asked = 0;

beforeEach(async () => {
  asked = 0;
  folder = mkdtempSync(join(tmpdir(), 'tako-post-'));
  server = createServer({ key: KEY, cert: CERTIFICATE }, (request, response) => {
    asked += 1;
    request.resume().on('end', () => response.end());
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

function post(caFile: string | undefined): Promise<HookAnswer> {
  const { port } = server.address() as AddressInfo;
  return postHook({ url: `https://127.0.0.1:${port}/`, tokenFile: undefined, caFile }, CALL);
}

function written(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

test('a server that the given file vouches for is told', async () => {
  expect(await post(written('ca.pem', CERTIFICATE))).toMatchObject({ word: 'go' });
  expect(asked).toBe(1);
});

test.each([
  ['no public authority knows it', () => undefined, 'self-signed certificate'],
  ['the file is not there', () => join(folder, 'gone.pem'), 'ENOENT'],
])('a server is told nothing when %s', async (_what, file, problem) => {
  const answer = await post(file());
  expect(answer).toMatchObject({ word: 'none' });
  expect(answer.reason).toContain(problem);
  expect(asked).toBe(0);
});

test('a server is told nothing when the file holds no certificate', async () => {
  expect(await post(written('ca.pem', 'not a certificate\n'))).toMatchObject({ word: 'none' });
  expect(asked).toBe(0);
});
