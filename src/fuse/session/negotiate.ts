/** The first request of a session, INIT: agrees with the kernel on version and features. */
import { TakoError } from '../../base/tako-error.ts';
import type { FuseDevice } from '../../ports/fuse-device.ts';
import { ENODEV, ENOENT, EPROTO } from '../wire/errno.ts';
import {
  decodeInit,
  isSupported,
  MAJOR,
  MINOR_MIN,
  type Negotiated,
  putInit,
} from '../wire/init.ts';
import { OPCODE } from '../wire/opcode.ts';
import type { Reply } from '../wire/reply.ts';
import type { Request } from '../wire/request.ts';

export interface Negotiation {
  readonly device: FuseDevice;
  /** Holds the first request. */
  readonly request: Request;
  readonly reply: Reply;
}

/** Undefined when the file system was unmounted meanwhile. Throws when the kernel is too old. */
export function negotiate({ device, request, reply }: Negotiation): Negotiated | undefined {
  const offer = request.opcode === OPCODE.init ? decodeInit(request) : undefined;
  if (offer === undefined || !isSupported(offer)) {
    send(device, reply, reply.finish(request, EPROTO, 0));
    throw new TakoError('system-call', refusal(offer), { next: 'Use Linux 5.7 or later' });
  }
  const sent = send(device, reply, reply.finish(request, 0, putInit(reply, offer)));
  return sent ? offer : undefined;
}

function refusal(offer: Negotiated | undefined): string {
  const found = offer === undefined ? 'does not begin with INIT' : `${offer.major}.${offer.minor}`;
  return `Cannot serve the mount: the kernel's FUSE protocol ${found}, need ${MAJOR}.${MINOR_MIN}`;
}

/** False when nobody waits for it any more. */
function send(device: FuseDevice, reply: Reply, length: number): boolean {
  const sent = device.write(reply.buffer, length);
  if (sent >= 0) return true;
  if (sent === ENOENT || sent === ENODEV) return false;
  throw new TakoError('system-call', `Cannot answer INIT on /dev/fuse: error ${-sent}`);
}
