/** Rows in an SQLite database, each in a transaction of its own, for three seconds: how many per second. */
import { DatabaseSync } from 'node:sqlite';

const MS = 3000;
const database = new DatabaseSync(`${process.argv[2]}/rows.db`);
database.exec('PRAGMA synchronous = FULL; CREATE TABLE rows (id INTEGER PRIMARY KEY, text TEXT)');
const insert = database.prepare('INSERT INTO rows (text) VALUES (?)');
const begin = performance.now();
let rows = 0;
for (; performance.now() - begin < MS; rows += 1) insert.run(`row ${rows}, of some length`);
const perSecond = rows / ((performance.now() - begin) / 1000);
database.close();
console.log(JSON.stringify({ perSecond }));
