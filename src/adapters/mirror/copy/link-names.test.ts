import { describe, expect, it } from 'vitest';
import { LinkNames } from './link-names.ts';

describe('names of shared inodes', () => {
  it('follow renames of files and directories, exchanges and removals', () => {
    const links = new LinkNames();
    links.add('a', 1);
    links.add('d/b', 1);
    links.add('d/c', 2);
    links.move('a', 'x', false);
    expect(links.namesOf(1).toSorted()).toEqual(['d/b', 'x']);
    links.move('d', 'e/f', true);
    expect(links.namesOf(1).toSorted()).toEqual(['e/f/b', 'x']);
    links.exchange('e', 'x');
    expect(links.namesOf(1).toSorted()).toEqual(['e', 'x/f/b']);
    expect(links.namesOf(2)).toEqual(['x/f/c']);
    links.remove('x/f/c');
    expect(links.has(2)).toBe(false);
  });

  it('a name that is replaced by a rename is that of the other inode', () => {
    const links = new LinkNames();
    links.add('a', 1);
    links.add('b', 2);
    links.move('a', 'b', false);
    expect(links.has(2)).toBe(false);
    expect(links.namesOf(1)).toEqual(['b']);
    links.move('plain', 'b', false);
    expect(links.has(1)).toBe(false);
  });

  it('know the counterpart of an inode of the source as long as it has a name', () => {
    const links = new LinkNames();
    links.add('a', 1);
    links.setCounterpart(77, 1);
    expect(links.counterpart(77)).toBe(1);
    links.remove('a');
    links.add('other', 1);
    expect(links.counterpart(77)).toBe(1);
    links.remove('other');
    expect(links.counterpart(77)).toBeUndefined();
  });
});
