/**
 * The registry of error codes: one line each. A code exists only if a program or a person reacts
 * to it. `docs/reference/errors.md` must name each of them (a tidy check compares the two).
 */
export const ERROR_CODES = {
  'config-invalid': 'The configuration file cannot be used as it is',
  'config-unreadable': 'The configuration file cannot be read',
  'key-unusable': 'The cluster key file is missing, readable by others, or malformed',
  'not-root': 'The command needs root',
  'not-running': 'Tako does not run on this node',
  'no-such-group': 'The configuration has no such group',
  'no-such-node': 'The configuration has no such node',
  'not-owner': 'This node does not own the group',
  'copy-stale': 'The copy on that node is not in sync and may not take over',
  busy: 'Another operation on the same group is under way',
  'no-quorum': 'Too few voters answer',
  'mirror-path': 'The directory to mirror cannot be used',
  'store-failed': 'The file system below a mirror fails',
  'share-unusable': 'A share cannot be used as a witness',
  'peer-refused': 'The other node refused the connection',
  'system-call': 'The kernel refused a system call',
  'agent-failed': 'An agent action failed',
  'hook-vetoed': 'A hook of the administrator said no',
  'no-node': 'No other node can take the group over',
  'in-maintenance': 'The group is in maintenance, and only an administrator may change that',
  'runs-everywhere': 'The group runs on each of its nodes at once, so there is nothing to move',
  'not-forced': 'A forced action is refused, because it is not needed or not safe as asked for',
  'fence-failed': 'A fence cannot be used, or did not do or say what it was asked for',
  'timed-out': 'An operation did not end in time; its outcome is unknown',
  'version-unsupported': 'Another version of a protocol or of a file than this release knows',
  'bad-request': 'A request to the API or to another node is malformed',
  internal: 'Tako met something that it did not expect; its log has the details',
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;
