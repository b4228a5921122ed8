/**
 * Test hosts: several Linux machines on one, made of namespaces, with real network interfaces, real
 * mounts and real power-offs. See docs/internals/test-hosts.md for a tour.
 *
 *     const lab = await createLab();                       // n1, n2, w1 and client
 *     await lab.host('n1').run(['ping', '-c1', lab.host('n2').address('mirror').ipv4]);
 *     await lab.host('n1').powerOff();
 *     lab.destroy();
 *
 * Needs root, iproute2, nftables and util-linux. Several labs can exist side by side. A lab is gone
 * when its process is gone, however that came about (`guards.ts`).
 */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { must } from '../../src/base/assert.ts';
import { makeCgroup } from './cgroup.ts';
import { Fabric } from './fabric.ts';
import { guardLab } from './guards.ts';
import { Host, type HostAddress } from './host.ts';
import { labCgroup, makeLabFolder, removeLab, sweepAbandonedLabs } from './remains.ts';

export interface LabOptions {
  /** Hosts on both links; `n1` and `n2` unless told. At most eight characters each. */
  readonly nodes?: readonly string[] | undefined;
  /** A host on the LAN for the witness: `w1` unless told, `false` for none. */
  readonly witness?: string | false | undefined;
  /** A host on the LAN for the users of the service: `client` unless told, `false` for none. */
  readonly client?: string | false | undefined;
  /** A cable, whose two ends lose their carrier together, or a switch. `direct` unless told. */
  readonly mirrorLink?: 'direct' | 'switched' | undefined;
  /** Size in MiB of `/srv` of the hosts that are to have a disk of limited size. */
  readonly disks?: Readonly<Record<string, number>> | undefined;
  /** More folders of the machine that hosts must see, beside the project's. */
  readonly keep?: readonly string[] | undefined;
}

export interface Lab {
  readonly id: string;
  /** For whatever belongs to the lab: configuration, keys, logs. Every host sees it at this path. */
  readonly folder: string;
  readonly hosts: readonly Host[];
  readonly mirrorLink: 'direct' | 'switched';
  host(name: string): Host;
  /** An address of the LAN that no host has: for a virtual IP. `index` from 0 to 49. */
  virtualAddress(index: number, family?: 4 | 6): string;
  /** Ends and removes everything of the lab, at once. Repeatable. */
  destroy(): void;
}

const PROJECT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const LINK_NUMBERS = { lan: 1, mirror: 2 } as const;
const NAME = /^[a-z][a-z0-9]{0,7}$/;
const FIRST_HOST = 11;
const FIRST_VIRTUAL = 100;

/** Makes the hosts and powers them on. */
export async function createLab(options: LabOptions = {}): Promise<Lab> {
  if (process.getuid?.() !== 0) {
    throw new Error('Cannot make test hosts: this needs root. Next: run it again as root');
  }
  sweepAbandonedLabs();
  const folder = makeLabFolder();
  const release = guardLab(folder);
  const destroy = (): void => {
    removeLab(folder);
    release();
  };
  try {
    return await build({ folder, options, destroy });
  } catch (error) {
    destroy();
    throw error;
  }
}

async function build(given: {
  readonly folder: string;
  readonly options: LabOptions;
  readonly destroy: () => void;
}): Promise<Lab> {
  const { folder, options, destroy } = given;
  const mirrorLink = options.mirrorLink ?? 'direct';
  const cgroup = labCgroup(folder);
  makeCgroup(cgroup);
  const fabric = new Fabric({ cgroup, direct: mirrorLink === 'direct' ? ['mirror'] : [] });
  await fabric.start(Object.keys(LINK_NUMBERS));
  const hosts = plan(options).map(({ name, links }, index) => {
    const hostOptions = {
      name,
      folder: join(folder, name),
      cgroup: join(cgroup, name),
      addresses: links.map((link) => addressOf(link, FIRST_HOST + index)),
      keep: [PROJECT, dirname(process.execPath), folder, ...(options.keep ?? [])],
      diskMiB: options.disks?.[name],
    };
    return new Host(hostOptions, { fabric });
  });
  await Promise.all(hosts.map((host) => host.powerOn()));
  return {
    id: folder.slice(folder.lastIndexOf('-') + 1),
    folder,
    hosts,
    mirrorLink,
    host: (name) =>
      must(
        hosts.find((host) => host.name === name),
        `the lab has a host ${name}`,
      ),
    virtualAddress: (index, family = 4) => {
      const { ipv4, ipv6 } = addressOf('lan', FIRST_VIRTUAL + index);
      return family === 4 ? ipv4 : ipv6;
    },
    destroy,
  };
}

type LinkName = keyof typeof LINK_NUMBERS;

function plan(options: LabOptions): { readonly name: string; readonly links: LinkName[] }[] {
  const onBoth = options.nodes ?? ['n1', 'n2'];
  const onLan = [options.witness ?? 'w1', options.client ?? 'client'].filter(
    (name) => name !== false,
  );
  const planned = [
    ...onBoth.map((name) => ({ name, links: ['lan', 'mirror'] as LinkName[] })),
    ...onLan.map((name) => ({ name, links: ['lan'] as LinkName[] })),
  ];
  for (const { name } of planned) {
    if (!NAME.test(name) || name === 'fabric') {
      throw new Error(`Cannot make a test host "${name}": its name must match ${NAME}`);
    }
  }
  return planned;
}

function addressOf(link: LinkName, number: number): HostAddress {
  const part = LINK_NUMBERS[link];
  const hex = number.toString(16).padStart(2, '0');
  return {
    link,
    ipv4: `10.90.${part}.${number}`,
    ipv6: `fd90:0:0:${part}::${number}`,
    mac: `02:74:6b:00:0${part}:${hex}`,
  };
}
