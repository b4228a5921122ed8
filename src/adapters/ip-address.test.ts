import { expect, test } from 'vitest';
import { normalAddress, parseAddress } from './ip-address.ts';

test.each([
  ['192.0.2.1', 'c0000201'],
  ['::', '0'.repeat(32)],
  ['::1', `${'0'.repeat(31)}1`],
  ['2001:db8::1', '20010db8000000000000000000000001'],
  ['2001:0DB8:0:0:1::9', '20010db8000000000001000000000009'],
  ['fe80::', `fe80${'0'.repeat(28)}`],
  ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
  ['::ffff:192.0.2.1', '00000000000000000000ffffc0000201'],
])('%s as bytes', (text, hex) => {
  expect(parseAddress(text).bytes.toString('hex')).toBe(hex);
});

test('one spelling for all', () => {
  expect(normalAddress('2001:0DB8:0::0001')).toBe('2001:db8::1');
  expect(() => normalAddress('192.0.2.300')).toThrow('"192.0.2.300" is not an IP address');
});
