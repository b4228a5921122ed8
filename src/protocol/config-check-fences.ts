/** Two nodes without a witness: what the parts of that choice must be to one another, and its risks. */
import { FENCE_TIMEOUT_DEFAULT } from './config-normalize.ts';
import type { Draft } from './config-draft.ts';
import { type Findings, suggest } from './config-finding.ts';
import { formatDuration, parseDuration } from './config-words.ts';

/** A fence is asked twice in it. */
const TIMEOUT_MS_MIN = 1000;
const TIMEOUT_MS_MAX = 600_000;
const DELAY_MS_MAX = 300_000;

export function checkWithoutWitness(draft: Draft, out: Findings): void {
  const { fenceDelay, fences, nodes, withoutWitness, witnesses } = draft;
  if (withoutWitness !== undefined && (witnesses.length > 0 || nodes.length !== 2)) {
    const there = witnesses.length > 0 ? ' and a witness' : '';
    out.error({
      path: ['without-witness'],
      found: `a choice for two nodes without a witness, and ${nodes.length} of them${there}`,
      expected: 'two nodes and no witness: with others a majority decides',
      next: 'Remove "without-witness" and "fences"',
    });
  }
  if (withoutWitness === 'fence') return checkFences(draft, out);
  const left = [
    ...(fences.length > 0 ? ['fences'] : []),
    ...(fenceDelay === undefined ? [] : ['fence-delay']),
  ];
  for (const key of left) {
    out.error({
      path: [key],
      atKey: true,
      found: `"${key}" without "without-witness: fence"`,
      expected: 'fences that are used',
      next: `Write "without-witness: fence", or remove "${key}"`,
    });
  }
}

function checkFences({ fenceDelay, fences, nodes }: Draft, out: Findings): void {
  const names = nodes.map(({ id }) => id);
  for (const { id, path, timeout } of fences) {
    if (!names.includes(id)) {
      out.error({
        path,
        atKey: true,
        found: `a fence of "${id}", which is not a node`,
        expected: `one of the nodes: ${names.join(', ')}`,
        next: suggest(id, names, 'Correct the name, or remove it'),
      });
    }
    const timeoutMs = parseDuration(timeout ?? FENCE_TIMEOUT_DEFAULT) ?? TIMEOUT_MS_MIN;
    if (timeoutMs >= TIMEOUT_MS_MIN && timeoutMs <= TIMEOUT_MS_MAX) continue;
    out.error({
      path: [...path, 'timeout'],
      found: formatDuration(timeoutMs),
      expected: `from ${formatDuration(TIMEOUT_MS_MIN)} to ${formatDuration(TIMEOUT_MS_MAX)}`,
      next: 'Set it to twice what the device takes, or leave it out for the default',
    });
  }
  const without = names.filter((name) => !fences.some(({ id }) => id === name));
  if (without.length > 0) {
    out.error({
      path: ['without-witness'],
      found: `no fence of ${without.join(' and ')}`,
      expected: 'one for each node: whichever is lost, the other one must turn it off',
      next: `Add it under "fences", for example ${without[0]}: { command: [/usr/sbin/fence_ipmilan] }`,
    });
  }
  const delayMs = typeof fenceDelay === 'string' ? parseDuration(fenceDelay) : undefined;
  if (delayMs === undefined || delayMs <= DELAY_MS_MAX) return;
  out.error({
    path: ['fence-delay'],
    found: formatDuration(delayMs),
    expected: `at most ${formatDuration(DELAY_MS_MAX)}`,
    next: 'Set it to what a fence takes to turn a node off',
  });
}

/** By whatever it is decided: what its people risk. */
export function warnOfTwoVoters({ withoutWitness }: Draft, out: Findings): void {
  if (withoutWitness === 'fence') {
    return out.warning({
      path: ['without-witness'],
      found: 'fences in place of a witness',
      expected:
        'fences that tell the truth: where one says "off" of a node that runs, both sides serve and ' +
        'two histories arise; where none answers, nothing fails over',
      next: 'Try each with "tako fence test NODE", and pull a plug once; a witness has no such risk',
    });
  }
  out.warning({
    path: ['nodes'],
    found: 'two voters and no third',
    expected:
      'a witness: without one both must be up to decide, so when one fails nothing fails over ' +
      'by itself, and an owner cut off from the other suspends its groups',
    next:
      'Add a witness on a third machine, or fences (without-witness: fence); ' +
      '"tako status" names the risk until then',
  });
}
