import { expect, test } from 'vitest';
import { DurableOrder } from './durable-order.ts';

test('what rests on a write waits for it, the rest does not', () => {
  const order = new DurableOrder();
  const done: string[] = [];
  order.after(undefined, () => done.push('nothing'));
  order.after(2, () => done.push('second'));
  order.after(1, () => done.push('first'));
  order.after(3, () => done.push('third'));
  expect(done).toEqual(['nothing']);
  order.written(2);
  expect(done).toEqual(['nothing', 'second', 'first']);
  order.after(2, () => done.push('late'));
  order.written(1);
  expect(done.at(-1)).toBe('late');
  order.written(3);
  expect(done.at(-1)).toBe('third');
});
