import { describe, expect, it } from 'vitest';
import { createLog } from './log.ts';

describe('createLog', () => {
  it('writes JSON lines with level, time, message and fields', () => {
    const lines: string[] = [];
    const log = createLog({
      name: 'control',
      level: 'info',
      bindings: { node: 'n1', cluster: 'demo' },
      destination: { write: (line) => lines.push(line) },
    });
    log.debug('not shown');
    log.info('group moved', { group: 'db' });
    log.error('disk failed', { error: new Error('EIO') });
    expect(lines.length).toBe(2);
    const [first, second] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(first).toMatchObject({ level: 'info', node: 'n1', cluster: 'demo', name: 'control' });
    expect(first).toMatchObject({ msg: 'group moved', group: 'db', pid: process.pid });
    expect(new Date(String(first?.['time'])).getFullYear()).toBeGreaterThan(2000);
    expect(second).toMatchObject({ level: 'error', error: { message: 'EIO' } });
  });
});
