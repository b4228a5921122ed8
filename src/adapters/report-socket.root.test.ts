/** Who may report: the resource's user and root, by the kernel. Needs root. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { reportHealth } from '../client/report-client.ts';
import { reportSocketPath } from '../protocol/report.ts';
import { createLog } from './log.ts';
import { findUser } from './process/user.ts';
import { type ReportSocket, listenForReports } from './report-socket.ts';

/** Exits with 0 when it could connect, 13 when it was not let in. */
const CONNECT = `
  const socket = require('node:net').createConnection(process.argv[1]);
  socket.on('connect', () => process.exit(0));
  socket.on('error', (error) => process.exit(error.code === 'EACCES' ? 13 : 1));
`;

let folder = '';
let path = '';
let socket: ReportSocket;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tako-report-'));
  // As the launcher makes the run directory where a resource runs as another user.
  chmodSync(folder, 0o711);
  path = reportSocketPath(folder, 'db', 'app');
  socket = await listenForReports({
    path,
    user: 'nobody',
    log: createLog({ name: 'test', level: 'silent' }),
    onMessage: () => Promise.resolve({ ok: true, text: 'heard' }),
  });
});

afterEach(async () => {
  await socket.close();
  rmSync(folder, { recursive: true });
});

function connectAs(uid: number): number | null {
  const options = { uid, gid: uid, cwd: '/' };
  return spawnSync(process.execPath, ['-e', CONNECT, path], options).status;
}

it('lets in the user of the resource and root, and nobody else', async () => {
  const { uid } = await findUser('nobody');
  expect(statSync(path)).toMatchObject({ uid });
  expect((await reportHealth({ health: 'ok' }, { socket: path })).ok).toBe(true);
  expect(connectAs(uid)).toBe(0);
  expect(connectAs(12_345)).toBe(13);
});

it('is not made for a user that is not there', async () => {
  const other = reportSocketPath(folder, 'db', 'other');
  const log = createLog({ name: 'test', level: 'silent' });
  const onMessage = () => Promise.resolve({ ok: true, text: '' });
  const made = listenForReports({ path: other, user: 'no-such-user', log, onMessage });
  await expect(made).rejects.toThrow('no such user');
});
