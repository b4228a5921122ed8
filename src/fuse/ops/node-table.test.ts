import { describe, expect, test } from 'vitest';
import { NodeTable } from './node-table.ts';
import { newStat } from './stat.ts';

const FILE = 0o100644;
const DIRECTORY = 0o040755;

function table(): { nodes: NodeTable; closed: number[] } {
  const closed: number[] = [];
  const root = { ...newStat(), ino: 2, mode: DIRECTORY };
  return { nodes: new NodeTable(root, (fd) => void closed.push(fd)), closed };
}

const bytes = (text: string): Uint8Array => Buffer.from(text);
const shown = (path: Uint8Array | undefined): string | undefined =>
  path === undefined ? undefined : Buffer.from(path).toString();
const file = (ino: number, mode = FILE) => ({ ...newStat(), ino, mode });

describe('the node table', () => {
  test('puts paths together, and follows a directory that is renamed', () => {
    const { nodes } = table();
    const a = nodes.enter(nodes.root, bytes('a'), file(10, DIRECTORY));
    const b = nodes.enter(a, bytes('b'), file(11, DIRECTORY));
    const c = nodes.enter(b, bytes('c'), file(12));
    expect(shown(nodes.path(c))).toBe('a/b/c');
    expect(nodes.path(c)).toBe(nodes.path(c));
    nodes.removeName(a, nodes.root, bytes('a'));
    expect(nodes.path(c)).toBeUndefined();
    nodes.addName(a, nodes.root, bytes('z'));
    expect(shown(nodes.path(c))).toBe('z/b/c');
    expect(shown(nodes.path(nodes.root))).toBe('');
  });

  test('knows an inode by all names that were seen', () => {
    const { nodes } = table();
    const one = nodes.enter(nodes.root, bytes('one'), file(10));
    expect(nodes.enter(nodes.root, bytes('two'), file(10))).toBe(one);
    expect(nodes.enter(nodes.root, bytes('two'), file(10)).names).toHaveLength(2);
    nodes.removeName(one, nodes.root, bytes('one'));
    expect(shown(nodes.path(one))).toBe('two');
  });

  test('keeps parents for as long as something below them is in use', () => {
    const { nodes } = table();
    const a = nodes.enter(nodes.root, bytes('a'), file(10, DIRECTORY));
    const c = nodes.enter(a, bytes('c'), file(12));
    a.lookups = 1;
    c.lookups = 2;
    nodes.forget(a.id, 1);
    expect(nodes.get(a.id)).toBe(a);
    expect(shown(nodes.path(c))).toBe('a/c');
    nodes.forget(c.id, 1);
    expect(nodes.get(c.id)).toBe(c);
    nodes.forget(c.id, 5);
    expect(nodes.get(c.id)).toBeUndefined();
    expect(nodes.get(a.id)).toBeUndefined();
    expect(nodes.size).toBe(1);
  });

  test('gives the inode number of what was removed free, and a new node to its next user', () => {
    const { nodes, closed } = table();
    const old = nodes.enter(nodes.root, bytes('a'), file(10));
    old.lookups = 1;
    old.anchor = 55;
    nodes.abandon(old);
    const next = nodes.enter(nodes.root, bytes('b'), file(10));
    expect(next.id).not.toBe(old.id);
    expect(nodes.get(old.id)).toBe(old);
    expect(nodes.path(old)).toBeUndefined();
    nodes.forget(old.id, 1);
    expect(closed).toEqual([55]);
    expect(nodes.byIno(10)).toBe(next);
  });

  test('does not take one thing for another that got its inode number', () => {
    const { nodes } = table();
    const old = nodes.enter(nodes.root, bytes('a'), file(10));
    old.lookups = 1;
    const next = nodes.enter(nodes.root, bytes('a'), file(10, DIRECTORY));
    expect(next).not.toBe(old);
    expect(old.isOrphan).toBe(true);
  });

  test('climbs out of a very deep tree', () => {
    const { nodes } = table();
    let at = nodes.root;
    for (let i = 0; i < 2000; i += 1) at = nodes.enter(at, bytes('d'), file(100 + i, DIRECTORY));
    expect(nodes.path(at)).toHaveLength(2 * 2000 - 1);
    at.lookups = 1;
    nodes.forget(at.id, 1);
    expect(nodes.size).toBe(1);
  });

  test('keeps the descriptor of what has no name until it is forgotten', () => {
    const { nodes, closed } = table();
    const node = nodes.enter(nodes.root, bytes('a'), file(10));
    node.lookups = 1;
    node.fd = 7;
    node.retired.push(6);
    nodes.abandon(node);
    nodes.closeData(node);
    expect(closed).toEqual([6]);
    nodes.forget(node.id, 1);
    expect(closed).toEqual([6, 7]);
  });
});
