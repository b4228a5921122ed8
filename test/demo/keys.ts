/** What the keys of the live screen do to the lab. */
import { pause } from '../hosts/wait.ts';
import type { Cluster } from './cluster.ts';
import type { Model } from './model.ts';
import type { KeyHelp } from './view.ts';

interface Key extends KeyHelp {
  /** Gives back a sentence on what was done. */
  readonly act: (cluster: Cluster, model: Model) => Promise<string>;
}

const FREEZE_SHORT_MS = 500;
const FREEZE_LONG_MS = 20_000;

function ownerOf(model: Model): string {
  const owner = model.owner();
  if (owner === undefined) throw new Error('nobody owns the group at this moment');
  return owner;
}

async function powerOff(
  cluster: Cluster,
  name: string,
  carrier: 'lost' | 'stays',
): Promise<string> {
  if (!cluster.lab.host(name).powered) return `${name} has no power already.`;
  await cluster.lab.host(name).powerOff({ carrier });
  return `Powered off ${name}${carrier === 'stays' ? ', without a sign' : ''}.`;
}

async function freeze(cluster: Cluster, model: Model, ms: number): Promise<string> {
  const name = ownerOf(model);
  const host = cluster.lab.host(name);
  model.mischief.frozen.add(name);
  await host.freeze();
  await pause(ms);
  if (host.powered) host.thaw();
  model.mischief.frozen.delete(name);
  return `${name} was frozen for ${ms / 1000} s.`;
}

/** Mends what the same key cut before, for the owner may be another one by now. */
async function toggleCut(
  cluster: Cluster,
  model: Model,
  links: readonly string[],
): Promise<string> {
  const cut = cluster.nodes.find((host) => links.every((link) => host.isCut(link)));
  const host = cut ?? cluster.lab.host(ownerOf(model));
  await Promise.all(links.map((link) => (cut ? host.mend(link) : host.cut(link, 'unplug'))));
  return `${cut ? 'Mended' : 'Cut'} ${links.join(' and ')} of ${host.name}.`;
}

async function bringAllBack(cluster: Cluster, model: Model): Promise<string> {
  for (const host of cluster.members) {
    for (const link of host.links) await host.mend(link);
    if (model.mischief.frozen.delete(host.name) && host.powered) host.thaw();
    if (!host.powered) await cluster.bringBack(host.name);
    if (model.mischief.full.delete(host.name)) await host.freeDisk();
  }
  return 'Everything has power, links and room again.';
}

async function toggleDisk(cluster: Cluster, model: Model): Promise<string> {
  const [full] = model.mischief.full;
  if (full !== undefined) {
    await cluster.lab.host(full).freeDisk();
    model.mischief.full.delete(full);
    return `The disk of ${full} has room again.`;
  }
  const { name } = cluster.other(ownerOf(model));
  await cluster.lab.host(name).fillDisk();
  model.mischief.full.add(name);
  return `The disk of ${name} is full.`;
}

async function move(cluster: Cluster, model: Model): Promise<string> {
  const owner = ownerOf(model);
  const { name } = cluster.other(owner);
  const { code, stdout, stderr } = await cluster.tako(owner, 'move', cluster.app.name, name);
  return (code === 0 ? stdout : stderr).trim().replaceAll('\n', ' ');
}

async function killDaemon(cluster: Cluster, model: Model, daemon: string): Promise<string> {
  const owner = ownerOf(model);
  await cluster.killDaemon(owner, daemon);
  return `Killed ${daemon} on ${owner}.`;
}

export const KEYS: readonly Key[] = [
  {
    key: 'o',
    what: 'power off the owner',
    act: (cluster, model) => powerOff(cluster, ownerOf(model), 'lost'),
  },
  {
    key: 'O',
    what: 'the same, no carrier lost',
    act: (cluster, model) => powerOff(cluster, ownerOf(model), 'stays'),
  },
  { key: 'b', what: 'bring everything back', act: bringAllBack },
  {
    key: 'm',
    what: 'cut or mend mirror link',
    act: (cluster, model) => toggleCut(cluster, model, ['mirror']),
  },
  {
    key: 'l',
    what: "cut or mend owner's LAN",
    act: (cluster, model) => toggleCut(cluster, model, ['lan']),
  },
  {
    key: 'a',
    what: 'cut all links of the owner',
    act: (cluster, model) => toggleCut(cluster, model, ['lan', 'mirror']),
  },
  {
    key: 'f',
    what: 'freeze the owner for 0.5 s',
    act: (cluster, model) => freeze(cluster, model, FREEZE_SHORT_MS),
  },
  {
    key: 'F',
    what: 'freeze the owner for 20 s',
    act: (cluster, model) => freeze(cluster, model, FREEZE_LONG_MS),
  },
  {
    key: 'p',
    what: 'kill the program',
    act: async (cluster, model) => {
      const owner = ownerOf(model);
      await cluster.app.killProgram(cluster.lab, owner);
      return `Killed the program on ${owner}.`;
    },
  },
  {
    key: 'c',
    what: 'kill control',
    act: (cluster, model) => killDaemon(cluster, model, 'control'),
  },
  {
    key: 'h',
    what: 'kill the heart',
    act: (cluster, model) => killDaemon(cluster, model, 'heart'),
  },
  {
    key: 'i',
    what: 'kill the mirror process',
    act: (cluster, model) => killDaemon(cluster, model, `mirror-${cluster.app.name}.data`),
  },
  { key: 'g', what: 'move the group', act: move },
  { key: 'd', what: "fill or free secondary's disk", act: toggleDisk },
  { key: 'w', what: 'power off the witness', act: (cluster) => powerOff(cluster, 'w1', 'lost') },
];

/** Carries a key out; whatever goes wrong becomes the message on the screen. */
export async function press(key: string, cluster: Cluster, model: Model): Promise<void> {
  const found = KEYS.find((each) => each.key === key);
  if (found === undefined) return;
  model.message = `${found.what} ...`;
  try {
    model.message = await found.act(cluster, model);
  } catch (error) {
    model.message = `Cannot ${found.what}: ${error instanceof Error ? error.message : String(error)}`;
  }
}
