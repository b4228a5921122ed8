// Acknowledges every record and keeps none: what runs behind keepalived, on both hosts all the time,
// so that the very same client can measure the gap. `node answerer.mjs PORT`.
import { createServer } from 'node:net';

const instance = process.pid.toString(16) + Date.now().toString(16);

createServer((socket) => {
  let received = '';
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    received += chunk.latin1Slice();
    const end = received.indexOf('\r\n\r\n');
    const length = Number(/content-length: (\d+)/.exec(received)?.[1] ?? 0);
    if (end < 0 || received.length < end + 4 + length) return;
    const number = /"number":(\d+)/.exec(received)?.[1];
    received = received.slice(end + 4 + length);
    const text = `{"number":${number},"instance":"${instance}","opening":1}`;
    socket.write(`HTTP/1.1 200 .\r\ncontent-length: ${text.length}\r\n\r\n${text}`);
  });
}).listen(Number(process.argv[2]), '::');
