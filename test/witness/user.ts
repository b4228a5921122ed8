/** A member of the test as the user of a witness, of whatever kind. */
import { MEMBER_SEAT, type Member } from './member.ts';
import type { WitnessUser } from './kind.ts';
import { A, B, W } from './process.ts';

export function userOf(member: Member, node: 'a' | 'b'): WitnessUser {
  const own = node === 'a' ? A : B;
  return {
    ask: (question, timeoutMs) => member.ask(question, timeoutMs),
    claim: (group, epoch, seat) => {
      member.records(group, own, epoch);
      const voters = [A, B].map((id) => ({ node: id, seat: MEMBER_SEAT }));
      member.claim(group, epoch, [...voters, { node: W, seat }]);
    },
    fallSilent: () => member.close(),
    release: (group) => member.release(group),
    lease: (group) => member.lease(group),
    hasLease: (group, held) => member.hasLease(group, held),
  };
}
