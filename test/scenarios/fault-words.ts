/**
 * The words of a scenario for what befalls machines, links, processes and disks.
 *
 *     off n1 | freeze n1 | thaw n1   power off, stop in place, go on
 *     cut lan n1 [n2]                nothing passes on that link from or to n1 (and n2); `mend` undoes it
 *     mute lan n1 [n2]               the same one way: nobody (n2) hears n1 there
 *     deafen lan n1 [n2]             the other way: n1 hears nobody (not n2) there
 *     unplug n1 n2 | plug n1 n2      the cable between them, and its carrier with it
 *     lag 80ms | loss 30%            of every packet, from now on
 *     crash n1 control 200ms         that process dies, and is there again after that time:
 *                                    control, heart, or a mirror (`data`)
 *     hang n1 heart 2s               it stands still for that time
 *     slow n1 200ms                  what its votes are stored on takes so much longer; 0ms: well
 *     full n1 | room n1              nothing more can be stored there; it can again
 *     wipe n1                        a new disk, while it is off: neither votes nor copies
 *     empty n1                       somebody moves all files out of its copies
 *     fence n1 lies                  what turns n1 off: fails, hangs, silent (does it and cannot say so),
 *                                    slow, stays-on, lies; well: as it should
 *     clock n1 1.009                 runs that much too fast
 *     etcd lost | etcd back          it loses its majority; nothing befalls it any more
 *     etcd slow | etcd emptied       it answers late; it is a new one, without records
 *     etcd cut n1                    that node does not reach it
 */
import { must } from '../../src/base/assert.ts';
import { parseDuration } from '../../src/protocol/config-words.ts';
import type { LinkId, NodeId } from '../../src/protocol/ids.ts';
import type { FenceFault } from '../../src/sim/sim-fence.ts';
import type { World } from '../../src/sim/world.ts';
import { resourceNamed } from './resource-words.ts';

const CABLE = 'mirror' as LinkId;

/** Whether that was one of these words. */
export function harm(world: World, command: string, words: readonly string[]): boolean {
  return (
    harmMachine(world, command, words) ||
    harmLink(world, command, words) ||
    harmProcess(world, command, words) ||
    harmDisk(world, command, words) ||
    harmEtcd(world, command, words)
  );
}

function harmMachine(
  world: World,
  command: string,
  [first = '', second]: readonly string[],
): boolean {
  const id = first as NodeId;
  switch (command) {
    case 'off':
      world.powerOff(id);
      return true;
    case 'freeze':
      world.node(id)?.freeze();
      return true;
    case 'thaw':
      world.node(id)?.thaw();
      return true;
    case 'fence':
      world.fences.set(id, second === 'well' ? undefined : (second as FenceFault));
      return true;
    case 'clock':
      world.setRate(id, Number(second));
      return true;
    default:
      return false;
  }
}

function harmLink(world: World, command: string, words: readonly string[]): boolean {
  const [first = '', second = '', third] = words;
  const all = world.members();
  switch (command) {
    case 'cut':
    case 'mend':
    case 'mute':
    case 'deafen': {
      const node = second as NodeId;
      const others = third === undefined ? all.filter((id) => id !== node) : [third as NodeId];
      for (const other of others) changeLink(world, command, first as LinkId, [node, other]);
      return true;
    }
    case 'plug':
    case 'unplug': {
      const ends = [first as NodeId, second as NodeId] as const;
      changeLink(world, command === 'plug' ? 'mend' : 'cut', CABLE, ends);
      world.plug(CABLE, ends, command === 'plug');
      return true;
    }
    case 'lag':
      world.network.lagMs = ms(first);
      return true;
    case 'loss':
      world.network.lossMore = Number.parseFloat(first) / 100;
      return true;
    default:
      return false;
  }
}

function changeLink(
  world: World,
  command: 'cut' | 'mend' | 'mute' | 'deafen',
  link: LinkId,
  [node, other]: readonly [NodeId, NodeId],
): void {
  if (command === 'mend') {
    world.mend(link, node, other);
    return world.mend(link, other, node);
  }
  if (command !== 'deafen') world.cut(link, node, other);
  if (command !== 'mute') world.cut(link, other, node);
}

function harmProcess(world: World, command: string, words: readonly string[]): boolean {
  const [id = '', process = '', forMs = ''] = words;
  const node = world.node(id as NodeId);
  if (command === 'hang') node?.hangHeart(ms(forMs));
  else if (command !== 'crash') return false;
  else if (process === 'control') node?.restartControl(ms(forMs));
  else if (process === 'heart') node?.restartHeart(ms(forMs));
  else node?.restartMirror(resourceNamed(world, process), ms(forMs));
  return true;
}

function harmEtcd({ etcd }: World, command: string, [what, node]: readonly string[]): boolean {
  if (command !== 'etcd' || etcd === undefined) return false;
  switch (what) {
    case 'lost':
      etcd.setMajority(false);
      return true;
    case 'back':
      etcd.mend();
      return true;
    case 'slow':
      etcd.slow = true;
      return true;
    case 'cut':
      etcd.setCut(must(node, 'a node is cut') as NodeId, true);
      return true;
    case 'emptied':
      etcd.empty();
      return true;
    default:
      return false;
  }
}

function harmDisk(
  world: World,
  command: string,
  [first = '', second = '']: readonly string[],
): boolean {
  const id = first as NodeId;
  switch (command) {
    case 'slow':
      world.disk(id).slowMs = ms(second);
      return true;
    case 'full':
    case 'room':
      world.disk(id).full = command === 'full';
      return true;
    case 'empty':
      for (const copy of world.disk(id).copies.values()) {
        copy.data = [];
        copy.synced = 0;
      }
      return true;
    case 'wipe':
      world.disk(id).forget();
      world.disk(id).copies.clear();
      return true;
    default:
      return false;
  }
}

function ms(text: string): number {
  return must(parseDuration(text), `a duration, not ${text}`);
}
