// A small trading ledger: the program that the demo and the tests protect. It answers POST /records
// only when the record is on stable storage (pwrite and fdatasync; requests that arrive meanwhile
// share the next sync), so an acknowledged record that is missing later was lost by someone else.
//
//     node server.mjs --directory /srv/ledger --port 7000 [--log FILE]
//
//     POST /records                  {"client","number","text"}  200; 409 when it leaves a gap
//     GET  /records?client=C         the client's records as they stand in the file
//     GET  /records/last?client=C    {"last"}
//     GET  /health                   {"ok":true}
//
// Every answer names the server's instance and its opening (a number that grows by one whenever a
// server opens the ledger, kept in the ledger), so that a client notices two servers at work. `--log`
// notes, on this machine's monotonic clock, every opening, beginning of a sync and acknowledgement.
//
// Plain JavaScript on bare sockets: the program's own start is part of every outage.
import * as fs from 'node:fs';
import { createServer } from 'node:net';
import { RECORD_BYTES, decodeRecord, encodeRecord, isRecord } from './record.mjs';

const REQUEST_BYTES_MAX = 8192;
const READ_BYTES = 16 * 1024 * RECORD_BYTES;
const BATCH_MAX = 1024;
// Of a record, what says whose it is: its kind and its client.
const WRITER_BYTES = 10;
const STOP_GRACE_MS = 200;

const options = readOptions(process.argv.slice(2));
const instance = Math.floor(Math.random() * 2 ** 32)
  .toString(16)
  .padStart(8, '0');
// Per client its last record: in the file, or on its way there (`waiters` is then a list).
const lasts = new Map();
const batch = [];
let size = 0;
let opening = 0;
let busy = false;
let stopping = false;

const file = openLedger(`${options.directory}/ledger`);
const server = createServer(serve);
server.on('error', (error) => fail('serve', error));
// Without a host, which would be looked up: that takes longer than the rest.
server.listen(options.port);
process.on('SIGTERM', stop);
process.on('SIGINT', stop);

function readOptions(words) {
  const given = new Map();
  for (let i = 0; i + 1 < words.length; i += 2) given.set(words[i], words[i + 1]);
  const directory = given.get('--directory');
  const port = Number(given.get('--port'));
  if (directory === undefined || !Number.isInteger(port)) {
    console.error('usage: node server.mjs --directory DIR --port PORT [--log FILE]');
    process.exit(2);
  }
  return { directory, port, log: given.get('--log') };
}

// Reads the ledger, cuts a torn end off, and makes the opening durable before anyone is served.
function openLedger(path) {
  const isNew = !fs.existsSync(path);
  const fd = fs.openSync(path, isNew ? 'w+' : 'r+');
  replay(fd);
  opening += 1;
  const record = encodeRecord({ kind: 'O', client: 'server', number: opening, text: instance });
  for (let done = 0; done < record.length;) {
    done += fs.writeSync(fd, record, done, record.length - done, size + done);
  }
  size += record.length;
  fs.fdatasyncSync(fd);
  if (isNew) {
    const directory = fs.openSync(options.directory, 'r');
    fs.fsyncSync(directory);
    fs.closeSync(directory);
  }
  note([`open`]);
  return fd;
}

function replay(fd) {
  const total = fs.fstatSync(fd).size;
  const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, total));
  let whole = true;
  while (whole && total - size >= RECORD_BYTES) {
    const got = fs.readSync(fd, buffer, 0, buffer.length, size);
    let at = 0;
    for (; at + RECORD_BYTES <= got && isRecord(buffer, at); at += RECORD_BYTES) {
      // Of a writer's records in a row only the last is taken apart: the others need only be whole.
      const before = at - RECORD_BYTES;
      if (at > 0 && !sameWriter(buffer, before, at)) learn(decodeRecord(buffer, before));
    }
    if (at > 0) learn(decodeRecord(buffer, at - RECORD_BYTES));
    size += at;
    whole = at > 0 && at + RECORD_BYTES > got;
  }
  if (size === total) return;
  // A sync that never ended may leave one batch torn; more than that is damage.
  if (total - size > BATCH_MAX * RECORD_BYTES) {
    fail('read', new Error(`it is damaged at byte ${size} of ${total}`));
  }
  fs.ftruncateSync(fd, size);
}

function sameWriter(buffer, one, other) {
  for (let i = 0; i < WRITER_BYTES; i += 1) {
    if (buffer[one + i] !== buffer[other + i]) return false;
  }
  return true;
}

function learn(record) {
  if (record.kind === 'O') opening = record.number;
  else lasts.set(record.client, record);
}

function serve(socket) {
  let received = '';
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    received += chunk.latin1Slice();
    for (;;) {
      const end = received.indexOf('\r\n\r\n');
      if (end < 0) break;
      const head = received.slice(0, end);
      const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
      if (received.length < end + 4 + length) break;
      const body = received.slice(end + 4, end + 4 + length);
      received = received.slice(end + 4 + length);
      handle(socket, head, body);
    }
    if (received.length > REQUEST_BYTES_MAX) socket.destroy();
  });
}

function handle(socket, head, body) {
  const [method, target] = head.split(' ', 2);
  const [path, query] = target.split('?');
  const client = /(?:^|&)client=(\w{1,8})/.exec(query ?? '')?.[1];
  if (method === 'POST' && path === '/records') post(socket, body);
  else if (path === '/records/last') answer(socket, 200, { last: lasts.get(client)?.number ?? 0 });
  else if (path === '/records') sendRecords(socket, client);
  else if (path === '/health') answer(socket, 200, { ok: true });
  else answer(socket, 404, { problem: `nothing at ${path}` });
}

function post(socket, body) {
  let record;
  try {
    const { client, number, text } = JSON.parse(body);
    if (!/^\w{1,8}$/.test(client) || !/^\w{1,32}$/.test(text)) throw new Error('malformed');
    if (!Number.isInteger(number) || number < 1 || number > 9_999_999_999) throw new Error('range');
    record = { kind: 'R', client, number, text };
  } catch (error) {
    answer(socket, 400, { problem: String(error) });
    return;
  }
  const last = lasts.get(record.client);
  const number = last?.number ?? 0;
  if (record.number === number && record.text === last.text) {
    // Asked again because no answer came: the answer is that of the first time.
    if (last.waiters === undefined) answer(socket, 200, { number });
    else last.waiters.push(socket);
  } else if (record.number === number + 1 && !stopping) {
    record.waiters = [socket];
    lasts.set(record.client, record);
    batch.push(record);
    commit();
  } else if (stopping) {
    answer(socket, 503, { problem: 'stopping' });
  } else {
    answer(socket, 409, { last: number });
  }
}

// One pwrite and one fdatasync for all that arrived while the one before was under way.
function commit() {
  if (busy || batch.length === 0) return;
  busy = true;
  const records = batch.splice(0, BATCH_MAX);
  const bytes = Buffer.concat(records.map(encodeRecord));
  note(['sync']);
  writeAll(bytes, 0, () => {
    fs.fdatasync(file, (error) => {
      if (error !== null) fail('sync', error);
      size += bytes.length;
      note(records.map(({ client, number }) => `ack ${client} ${number}`));
      for (const record of records) {
        for (const socket of record.waiters) answer(socket, 200, { number: record.number });
        record.waiters = undefined;
      }
      busy = false;
      if (stopping) process.exit(0);
      commit();
    });
  });
}

function writeAll(bytes, done, then) {
  fs.write(file, bytes, done, bytes.length - done, size + done, (error, count) => {
    if (error !== null) fail('write', error);
    if (done + count < bytes.length) writeAll(bytes, done + count, then);
    else then();
  });
}

function answer(socket, code, body) {
  const text = JSON.stringify({ ...body, instance, opening });
  if (!socket.writable) return;
  socket.write(`HTTP/1.1 ${code} .\r\ncontent-length: ${text.length}\r\n\r\n${text}`);
}

// The records as they are in the file: what is read back is what is stored.
function sendRecords(socket, client) {
  const end = size;
  const buffer = Buffer.allocUnsafe(READ_BYTES);
  socket.write(`HTTP/1.1 200 .\r\nconnection: close\r\nx-ledger: ${instance} ${opening}\r\n\r\n`);
  const next = (position) => {
    const want = Math.min(READ_BYTES, end - position);
    if (want === 0) {
      socket.end();
      return;
    }
    fs.read(file, buffer, 0, want, position, (error, got) => {
      if (error !== null || got < RECORD_BYTES) fail('read', error ?? new Error('it ended early'));
      const whole = got - (got % RECORD_BYTES);
      let lines = '';
      for (let at = 0; at < whole; at += RECORD_BYTES) {
        const line = buffer.latin1Slice(at, at + RECORD_BYTES);
        if (client === undefined || line.slice(2, 10).trimEnd() === client) lines += line;
      }
      socket.write(lines, 'latin1', () => next(position + whole));
    });
  };
  next(0);
}

// One line per entry: monotonic milliseconds, instance, opening, what happened.
function note(entries) {
  if (options.log === undefined) return;
  const at = (Number(process.hrtime.bigint()) / 1e6).toFixed(3);
  fs.appendFileSync(
    options.log,
    entries.map((entry) => `${at} ${instance} ${opening} ${entry}\n`).join(''),
  );
}

// Storage that fails cannot be trusted with the next record either: end, and start from what is there.
function fail(what, error) {
  console.error(`Cannot ${what} the ledger in "${options.directory}": ${error.message}`);
  process.kill(process.pid, 'SIGKILL');
}

function stop() {
  stopping = true;
  note([`stop`]);
  server.close();
  if (!busy) process.exit(0);
  // A sync that hangs would hold up an ordinary exit for as long as it hangs.
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), STOP_GRACE_MS);
}
