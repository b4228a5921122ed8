/** Where the records are, and how many members that allows. */
import { VOTING_NODES_MAX } from './config-schema.ts';
import type { Draft } from './config-draft.ts';
import type { Findings } from './config-finding.ts';

export function checkRegistry(draft: Draft, out: Findings): void {
  if (!draft.hasRegistry && draft.nodes.length > VOTING_NODES_MAX) {
    out.error({
      path: ['nodes'],
      found: `${draft.nodes.length} nodes that decide among themselves`,
      expected:
        `at most ${VOTING_NODES_MAX}: each of them is asked at every vote, ` +
        'and a majority must answer',
      next: 'Let an etcd hold the records ("registry"), or make two clusters of them',
    });
  }
  if (!draft.hasRegistry) return;
  if (draft.witnesses.length > 0) {
    out.error({
      path: ['registry'],
      found: 'a registry in etcd beside a witness',
      expected: 'one of the two: where etcd holds the records, it breaks every tie',
      next: 'Leave the witness out, or the registry',
    });
  }
  checkAccess(draft.registry?.etcd, out);
}

function checkAccess(
  etcd: NonNullable<Draft['registry']>['etcd'] | undefined,
  out: Findings,
): void {
  if (etcd === undefined) return;
  const { endpoints, 'ca-file': ca, 'cert-file': cert, 'key-file': key, user } = etcd;
  const together = (a: string, b: string): void =>
    out.error({
      path: ['registry', 'etcd', a],
      found: `"${a}" without "${b}"`,
      expected: 'both or none',
      next: `Add "${b}" or remove "${a}"`,
    });
  if ((cert === undefined) !== (key === undefined)) {
    if (cert === undefined) together('key-file', 'cert-file');
    else together('cert-file', 'key-file');
  }
  if ((user === undefined) !== (etcd['password-file'] === undefined)) {
    if (user === undefined) together('password-file', 'user');
    else together('user', 'password-file');
  }
  const plain = endpoints.findIndex((endpoint) => endpoint.startsWith('http:'));
  if (plain >= 0 && (ca ?? cert ?? user) !== undefined) {
    out.error({
      path: ['registry', 'etcd', 'endpoints', plain],
      found: `${endpoints[plain]}, which is not encrypted, beside files or a user for access`,
      expected: 'https for every endpoint: a password shall not go over the network as it is',
      next: 'Write https, and give etcd certificates',
    });
  } else if (plain >= 0) {
    out.warning({
      path: ['registry', 'etcd', 'endpoints', plain],
      found: `${endpoints[plain]}, which is not encrypted`,
      expected: 'https: whoever is on that network can change who owns a group',
      next: 'Give etcd certificates, write https and "ca-file"',
    });
  }
  const twice = endpoints.findIndex((endpoint, at) => endpoints.indexOf(endpoint) !== at);
  if (twice >= 0) {
    out.error({
      path: ['registry', 'etcd', 'endpoints', twice],
      found: `${endpoints[twice]} a second time`,
      expected: 'each member of etcd once',
      next: 'Remove one of them',
    });
  }
}
