/** What must be so before anything is started. Each check says in plain words what is missing. */
import { closeSync, mkdirSync, statSync, chmodSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import { openFuseDevice } from '../../adapters/system/mount.ts';
import { readClusterKey } from '../../adapters/tls-psk.ts';
import { messageOf, TakoError } from '../../base/tako-error.ts';
import type { Config, NodeConfig } from '../../protocol/config.ts';
import { parseAddress } from '../../protocol/config-words.ts';
import type { Say } from './say.ts';

const PRIVATE_MODE = 0o700;
/** Others may pass, and see nothing: each file in it is closed by a mode of its own. */
const PASSAGE_MODE = 0o711;

export function requireRoot(): void {
  if (process.geteuid?.() === 0) return;
  throw new TakoError(
    'not-root',
    'Cannot run Tako without root: it mounts file systems and moves addresses',
    {
      next: 'Run the same command with sudo, or start the service with "systemctl start tako"',
    },
  );
}

/** Which node this machine is: by `name`, else by its host name. */
export function findSelf(config: Config, name: string | undefined): NodeConfig {
  const wanted = name ?? (hostname().split('.')[0] ?? '').toLowerCase();
  const node = config.nodes.find(({ id }) => id === wanted);
  if (node !== undefined) return node;
  const source = name === undefined ? 'the host name of this machine' : 'given with --node';
  const text = `Cannot run Tako as "${wanted}" (${source})`;
  if (config.witness?.id === wanted) {
    throw new TakoError('no-such-node', `${text}: it is the witness of the cluster, not a node`, {
      next: 'Put this file into /etc/tako/witness as NAME.yaml, and run "tako witness run"',
    });
  }
  const known = config.nodes.map(({ id }) => id).join(', ');
  throw new TakoError('no-such-node', `${text}: the configuration has the nodes ${known}`, {
    next: 'Name this machine with --node, or add it to the configuration',
  });
}

/** Programs of other users pass through the run directory to the sockets on which they report. */
export function runDirectoryMode({ groups }: Config): number {
  const resources = groups.flatMap((group) => group.resources);
  const others = resources.some((r) => r.agent === 'process' && r.user !== undefined);
  return others ? PASSAGE_MODE : PRIVATE_MODE;
}

/** Makes the directory and closes it to others. */
export function preparePrivateDirectory(path: string, mode = PRIVATE_MODE): void {
  try {
    mkdirSync(path, { recursive: true, mode: PRIVATE_MODE });
    const { uid } = statSync(path);
    if (uid !== process.geteuid?.()) throw new Error(`it belongs to the user with id ${uid}`);
    chmodSync(path, mode);
  } catch (error) {
    throw new TakoError('system-call', `Cannot use the directory "${path}": ${messageOf(error)}`, {
      next: 'Choose another one with --run-dir or --state-dir, or give it to root',
      cause: error,
    });
  }
}

/** Throws for what makes a start pointless, says what is merely suspicious. */
export function checkMachine(config: Config, self: NodeConfig, say: Say): void {
  readClusterKey(config.keyFile);
  const { id, addresses } = self;
  const runsMirrors = config.groups.some(
    ({ nodes, resources }) =>
      nodes.includes(id) && resources.some(({ agent }) => agent === 'mirror'),
  );
  if (runsMirrors) closeSync(openFuseDevice());
  const own = ownAddresses();
  for (const [link, address] of Object.entries(addresses)) {
    // All of 127.0.0.0/8 is there, though only one address of it is listed.
    if (own.has(address) || address.startsWith('127.')) continue;
    say(
      'warning',
      `The address ${address} (link ${link} of ${id}) is on no network interface of this machine. ` +
        'Tako waits for it; if this goes on, check the network and that this machine is ' +
        `really ${id}.`,
    );
  }
}

function ownAddresses(): ReadonlySet<string> {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return new Set(all.map(({ address }) => parseAddress(address)?.canonical ?? address));
}
